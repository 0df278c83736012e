package main

import "syscall"

// dieWithParent has the kernel send `signal` to the child when the supervisor is killed.
func dieWithParent(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }
