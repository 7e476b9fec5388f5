//go:build unix

package main

import (
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

func TestSignalsDrain(t *testing.T) {
	t.Parallel()
	heard := make(chan os.Signal, 1) // a program of ours would ignore SIGHUP if these tests did, as under nohup
	signal.Notify(heard, syscall.SIGHUP)
	defer signal.Stop(heard)
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		p := serve(t, "--addr", "127.0.0.1:0")
		all, bob := parleytest.DialURL(t, p.url+"ws/", nil), parleytest.DialURL(t, p.url+"ws/bob/", nil)
		p.signal(sig)
		for _, c := range []*parleytest.Communicator{all, bob} {
			if got := c.CloseCode(); got != parley.CloseGoingAway {
				t.Errorf("%v: closed with %v", sig, got)
			}
		}
		if code := p.exit(); code != 0 {
			t.Errorf("%v: exit code %d after\n%s", sig, code, &p.seen)
		}
	}
}

// TestHangupIgnored has a server whose parent ignored SIGHUP, as nohup does, go on.
func TestHangupIgnored(t *testing.T) {
	t.Parallel()
	p := &process{t: t, cmd: command(t, "-c", `trap "" HUP; exec "$0" serve --addr 127.0.0.1:0`, binary)}
	p.cmd.Path = "/bin/sh"
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.run(stderr)
	p.stubbornClient()
	p.signal(syscall.SIGHUP) // had it been heard, the next signal would end the server at once
	all := parleytest.DialURL(t, p.url+"ws/", nil)
	p.signal(syscall.SIGTERM)
	if got := all.CloseCode(); got != parley.CloseGoingAway {
		t.Errorf("closed with %v", got)
	}
	if code := p.exit(); code == -1 {
		t.Errorf("exit code %d after\n%s", code, &p.seen)
	}
}

// TestSecondSignalEndsAtOnce stops a server that waits for a client to answer
// its close frame.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := serve(t, "--addr", "127.0.0.1:0", "--close-timeout=1h", "--shutdown-timeout=1h")
	p.stubbornClient()
	p.signal(syscall.SIGINT)
	p.until("stopping")
	p.signal(syscall.SIGINT)
	if code := p.exit(); code != -1 {
		t.Errorf("exit code %d after\n%s", code, &p.seen)
	}
}

func TestDrainThatTimesOut(t *testing.T) {
	t.Parallel()
	p := serve(t, "--addr", "127.0.0.1:0", "--close-timeout=1h", "--shutdown-timeout=10ms")
	p.stubbornClient()
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 1 || !strings.Contains(p.seen.String(), "parley: ") {
		t.Errorf("exit code %d after\n%s", code, &p.seen)
	}
}

// stubbornClient connects and answers nothing.
func (p *process) stubbornClient() {
	p.t.Helper()
	nc, _, _, err := ws.Dial(p.t.Context(), "ws"+strings.TrimPrefix(p.url, "http")+"ws/")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = nc.Close() }) // closed, if the server did
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}
