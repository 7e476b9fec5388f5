package proc

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 3 * time.Second
	retryEvery = 5 * time.Millisecond
	logTail    = 2000
)

// Command is a server program to start.
type Command struct {
	Path string
	Args []string
	Env  []string // in addition to this program's
	Dir  string   // where it runs; its output goes to a file there
}

// Server is a started process. Stop must be called to end it.
type Server struct {
	PID     int
	Started time.Time

	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

// Start runs the command on a core and returns when addr accepts connections.
func Start(ctx context.Context, command Command, addr netip.AddrPort, core int) (*Server, error) {
	s, err := spawn(command, core)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(command.Path), err)
	}
	if err := s.awaitPort(ctx, addr); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start %s: %w", filepath.Base(command.Path), err)
	}
	return s, nil
}

func spawn(command Command, core int) (*Server, error) {
	log, err := os.CreateTemp(command.Dir, "server-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(command.Path, command.Args...)
	cmd.Dir, cmd.Env = command.Dir, childEnv(command.Env)
	cmd.Stdout, cmd.Stderr = log, log
	// It ends with this program, but not by an interrupt from the terminal, which would look like its own failure.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := time.Now()
	if err := onCore(core, cmd.Start); err != nil {
		return nil, err
	}
	s := &Server{PID: cmd.Process.Pid, Started: started, cmd: cmd, log: log.Name(), exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // that it ended is all that matters; why is in its log
		close(s.exited)
	}()
	return s, nil
}

// Stop asks the process to end, insists after a while, and waits until it has ended.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has already ended
	select {
	case <-s.exited:
	case <-time.After(stopLimit):
		s.Kill()
	}
}

// Kill ends the process at once, and waits until it has ended.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // fails only when it has already ended
	<-s.exited
}

// Exited says whether the process has ended by itself.
func (s *Server) Exited() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// Log is the end of what the process printed.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTail):])
}

func (s *Server) awaitPort(ctx context.Context, addr netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", addr.String())
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.exited:
			return fmt.Errorf("it ended: %s", s.Log())
		case <-ctx.Done():
			return fmt.Errorf("it did not accept connections: %w: %s", context.Cause(ctx), s.Log())
		case <-time.After(retryEvery):
		}
	}
}

// FreePort finds a port on loopback that nothing listens on.
func FreePort() (netip.AddrPort, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	addr := listener.Addr().(*net.TCPAddr).AddrPort()
	if err := listener.Close(); err != nil {
		return netip.AddrPort{}, fmt.Errorf("find a free port: %w", err)
	}
	return addr, nil
}
