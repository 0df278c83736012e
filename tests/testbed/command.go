package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// start runs `serve` in a session of its own, waits until it is usable, and prints its variables.
// A testbed that runs already is left as it is.
func start(dir string) error {
	temporary := dir == ""
	dir, err := folder(dir)
	if err != nil {
		return err
	}
	if holder(dir) == 0 {
		if err := startServer(dir, temporary); err != nil {
			return err
		}
	}
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		return fmt.Errorf("the testbed in %s is still starting: %w", dir, err)
	}
	_, err = os.Stdout.Write(env)
	return err
}

func startServer(dir string, temporary bool) error {
	if err := removeState(dir); err != nil { // of a testbed that was killed
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	logs := filepath.Join(dir, "log")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(logs, "testbed.log"))
	if err != nil {
		return err
	}
	defer out.Close()
	server := exec.Command(self, "serve", "--dir", dir, "--temporary="+strconv.FormatBool(temporary))
	server.Stdout, server.Stderr = out, out
	server.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	interrupted, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer done()
	for {
		select {
		case err := <-ended:
			text, _ := os.ReadFile(out.Name())
			return fmt.Errorf("the testbed did not start: %w\n%s", err, bytes.TrimSpace(text))
		case <-interrupted.Done():
			_ = server.Process.Signal(syscall.SIGTERM)
			<-ended
			return exitCode(130)
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := os.Stat(filepath.Join(dir, "env")); err == nil {
			return nil
		}
	}
}

// stop ends the testbed in a folder and waits until it has ended.
func stop(dir string) error {
	if dir == "" {
		return fmt.Errorf("%w: `stop` needs --dir or WINDLASS_TEST_DIR", errUsage)
	}
	pid := holder(dir)
	if pid == 0 {
		fmt.Fprintf(os.Stderr, "no testbed runs in %s\n", dir)
		return removeState(dir)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	for range 200 {
		if holder(dir) == 0 {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return removeState(dir)
}

// serve runs a testbed until it is told to stop or a component dies.
func serve(dir string, temporary bool) error {
	temporary = temporary || dir == ""
	dir, err := folder(dir)
	if err != nil {
		return err
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	ctx, done := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer done()
	if err := removeState(dir); err != nil {
		return err
	}
	t, err := newTestbed(dir)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := t.start(ctx, ""); err != nil {
		stopped := t.stop(ctx.Err() != nil && temporary)
		if ctx.Err() != nil {
			return errors.Join(stopped, exitCode(130))
		}
		return err
	}
	var env strings.Builder
	for _, v := range t.variables() {
		fmt.Fprintf(&env, "export %s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`))
	}
	if err := writeAtomic(filepath.Join(dir, "env"), env.String()); err != nil {
		return errors.Join(err, t.stop(temporary))
	}
	fmt.Fprintf(os.Stderr, "The testbed is ready after %.1f s. Stop it with Ctrl-C.\n", time.Since(begin).Seconds())
	fmt.Print(env.String())

	select {
	case <-ctx.Done():
		return t.stop(temporary)
	case p := <-t.group.died:
		err := p.failure()
		return errors.Join(err, t.stop(false))
	}
}

// run starts a testbed, runs a command with its variables, stops the testbed in any case and
// returns the exit code of the command.
func run(kubeconfig string, command []string) error {
	if _, err := exec.LookPath(command[0]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return exitCode(127) // as a shell does
	}
	dir, err := folder("")
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started := make(chan struct{})
	early := make(chan os.Signal, 1)
	go func() {
		select {
		case s := <-signals:
			early <- s
			cancel()
		case <-started:
		}
	}()

	t, err := newTestbed(dir)
	if err != nil {
		return err
	}
	err = t.start(ctx, kubeconfig)
	close(started)
	if ctx.Err() != nil {
		return errors.Join(t.stop(true), signalCode((<-early).(syscall.Signal)))
	}
	if err != nil {
		return errors.Join(err, t.stop(false)) // the logs stay
	}
	code, err := t.runCommand(command, signals)
	if err != nil {
		return errors.Join(err, t.stop(false))
	}
	return errors.Join(t.stop(true), code)
}

// runCommand returns a nil code when the command ended with 0.
func (t *testbed) runCommand(command []string, signals <-chan os.Signal) (code, err error) {
	child := exec.Command(command[0], command[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.Env = os.Environ()
	for _, v := range t.variables() {
		child.Env = append(child.Env, v[0]+"="+v[1])
	}
	child.SysProcAttr = &syscall.SysProcAttr{}
	dieWithParent(child.SysProcAttr, syscall.SIGTERM)
	if err := child.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	died := t.group.died
	var dead error
	for {
		select {
		case s := <-signals:
			// Ctrl-C on a terminal has reached the command already.
			if s != os.Interrupt || !inForeground() {
				_ = child.Process.Signal(s)
			}
		case p := <-died:
			died, dead = nil, p.failure()
			fmt.Fprintln(os.Stderr, "error:", dead)
		case err := <-ended:
			var exit *exec.ExitError
			switch {
			case err == nil:
				return nil, dead
			case !errors.As(err, &exit):
				return nil, err
			}
			status := exit.Sys().(syscall.WaitStatus)
			if status.Signaled() {
				return signalCode(status.Signal()), nil
			}
			return exitCode(status.ExitStatus()), nil
		}
	}
}

func signalCode(s syscall.Signal) exitCode { return exitCode(128 + int(s)) }

// inForeground tells whether keys typed on the terminal send signals to our process group.
func inForeground() bool {
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer terminal.Close()
	group, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// folder makes the folder of a testbed; without a name a temporary one.
func folder(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "windlass-testbed-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// lockFolder marks a folder as taken by this process, until it ends in whatever way.
func lockFolder(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("a testbed runs in %s already", dir), lock.Close())
	}
	if err := lock.Truncate(0); err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(lock, os.Getpid())
	return lock, err
}

// holder returns the process id of the testbed in a folder, or 0.
func holder(dir string) int {
	lock, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return 0
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return 0 // nobody holds it
	}
	text, err := os.ReadFile(lock.Name())
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

func writeAtomic(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
