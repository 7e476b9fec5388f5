package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

// node is the server: a process on a socket and a directory that outlive it. A
// client that connects while there is none waits for the next.
type node struct {
	cfg    Config
	data   string
	socket net.Listener
	file   *os.File // of the socket, for the process
	log    *os.File
	fail   context.CancelCauseFunc // told if a process ends by itself

	process *process // nil while there is none
}

// process is one of the server's.
type process struct {
	cmd    *exec.Cmd
	input  io.Closer // it ends when this is closed, as it is when the harness dies
	killed atomic.Bool
	ended  chan struct{}
}

// skew is by how much the server's wall clock jumps: further than messages are kept.
const skew = 31 * 24 * time.Hour

// LogName is the name of the server's log in Config.Dir.
const LogName = "server.log"

func newNode(cfg Config, data string, fail context.CancelCauseFunc) (*node, error) {
	log, err := os.Create(filepath.Join(cfg.Dir, LogName))
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: narrow}
	socket, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	file, err := socket.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	return &node{cfg: cfg, data: data, socket: socket, file: file, log: log, fail: fail}, nil
}

func (n *node) addr() string { return n.socket.Addr().String() }

// start starts a process, and does not wait until it serves.
func (n *node) start() error {
	args := []string{"-data", n.data, "-skew", skew.String()}
	if n.cfg.Process {
		args = append(args, "-process")
	}
	if n.cfg.Storm {
		args = append(args, "-queue", strconv.Itoa(stormQueue))
	}
	cmd := exec.Command(n.cfg.Server, args...)
	cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1")
	cmd.Env = append(cmd.Env, n.cfg.Env...)
	cmd.Stdout, cmd.Stderr = n.log, n.log
	cmd.ExtraFiles = []*os.File{n.file}
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	n.process = &process{cmd: cmd, input: input, ended: make(chan struct{})}
	go n.process.wait(n.fail)
	return nil
}

func (p *process) wait(fail context.CancelCauseFunc) {
	err := p.cmd.Wait()
	if signalled := p.cmd.ProcessState.ExitCode() == -1; !signalled || !p.killed.Load() {
		fail(fmt.Errorf("the server ended by itself: %w", err))
	}
	close(p.ended)
}

// kill is kill -9, and waits until the process is gone.
func (n *node) kill() error {
	p := n.process
	if p == nil {
		return nil
	}
	n.process = nil
	p.killed.Store(true)
	err := p.cmd.Process.Kill()
	<-p.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil // and its end was reported
	}
	return err
}

func (n *node) close() {
	_ = n.kill()
	_ = n.file.Close()
	_ = n.socket.Close()
	_ = n.log.Close()
}

// replace puts a backup in the place of the data.
func (n *node) replace(backup string) error {
	if err := os.RemoveAll(n.data); err != nil {
		return err
	}
	return os.Rename(backup, n.data)
}
