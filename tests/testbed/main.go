// Testbed is a Kubernetes control plane and an OCI registry for tests: real etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler and distribution registry, with kwok in the place of a
// kubelet. One binary holds them all and runs each as a process of its own.
//
// It is started through the script `testbed` beside this file, which builds it first.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
)

const usage = `usage: testbed COMMAND

  start [--dir DIR]        start a testbed in the background, print its variables
  stop  [--dir DIR]        stop it
  serve [--dir DIR]        run a testbed in the foreground until Ctrl-C
  run [--dir DIR] -- CMD…  run CMD with a testbed of its own, return its exit code
  push [--user U:P] [--platform OS/ARCH]… HOST:PORT/REPOSITORY:TAG
                           push a small image, the same bytes for the same name; print its digest
`

// exitCode ends the program with a code and without a message of its own.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// errUsage is shown together with the usage text and ends with exit code 2.
var errUsage = errors.New("wrong usage")

func init() {
	// The kernel sends a child its parent-death signal when the *thread* that started it ends.
	// All children are started from the main goroutine, which this pins to the main thread.
	runtime.LockOSThread()
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "component" {
		os.Exit(runComponent(os.Args[2], os.Args[3:]))
	}
	err := dispatch(os.Args[1:])
	var code exitCode
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	case errors.Is(err, flag.ErrHelp):
		fmt.Print(usage)
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "error: %v\n\n%s", err, usage)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		os.Exit(1)
	}
}

func dispatch(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%w: no command given", errUsage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(discard{})
	dir := flags.String("dir", os.Getenv("WINDLASS_TEST_DIR"), "")
	temporary := flags.Bool("temporary", false, "")
	kubeconfig := flags.String("kubeconfig", "", "")
	user := flags.String("user", "", "")
	authorities := flags.String("ca", "", "")
	var platforms list
	flags.Var(&platforms, "platform", "")
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	rest := flags.Args()

	switch args[0] {
	case "start":
		return start(*dir)
	case "stop":
		return stop(*dir)
	case "serve":
		return serve(*dir, *temporary)
	case "run":
		if len(rest) == 0 {
			return fmt.Errorf("%w: `run` needs a command after `--`", errUsage)
		}
		return run(*kubeconfig, rest)
	case "push":
		if len(rest) != 1 {
			return fmt.Errorf("%w: `push` takes one image name", errUsage)
		}
		return push(rest[0], *user, *authorities, platforms)
	case "help", "-h", "--help":
		return flag.ErrHelp
	}
	return fmt.Errorf("%w: no command `%s`", errUsage, args[0])
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return fmt.Sprint(*l) }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
