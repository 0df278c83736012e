package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a component that runs.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

// group is the set of components of one testbed.
type group struct {
	logs      string
	processes []*process
	died      chan *process
}

func newGroup(logs string) *group {
	return &group{logs: logs, died: make(chan *process, 16)}
}

// start runs this binary again as a component. `name` also names the log file, so that one
// component can run twice. Must be called from the main goroutine, see init.
func (g *group) start(name, component string, env []string, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p := &process{name: name, log: filepath.Join(g.logs, name+".log"), done: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd = exec.Command(self, append([]string{"component", component}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append(os.Environ(), env...)
	// A process group of its own: Ctrl-C on the terminal reaches the supervisor and the command
	// under test, and the control plane stays up until both are done with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(p.cmd.SysProcAttr, syscall.SIGKILL)
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	g.processes = append(g.processes, p)
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
		g.died <- p
	}()
	return nil
}

// stop ends all components. Their data is thrown away, so that none is given long.
func (g *group) stop() {
	for _, p := range g.processes {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	patience := time.After(time.Second)
	for _, p := range g.processes {
		select {
		case <-p.done:
		case <-patience:
			for _, p := range g.processes {
				_ = p.cmd.Process.Kill()
			}
			<-p.done
		}
	}
}

// failure tells how a component ended, with the end of its log.
func (p *process) failure() error {
	text, _ := os.ReadFile(p.log)
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	lines = lines[max(0, len(lines)-15):]
	how := "ended by itself"
	if p.err != nil {
		how = p.err.Error()
	}
	return fmt.Errorf("component %s: %s; the end of %s:\n%s", p.name, how, p.log, bytes.Join(lines, []byte("\n")))
}
