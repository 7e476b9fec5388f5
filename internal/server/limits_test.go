package server_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/parleytest"
)

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Storage: nothingKept, Limits: server.Limits{MaxConnections: 2}})
	all, bob := s.dial("/ws/"), s.dial("/ws/bob/")
	for _, path := range []string{"/ws/", "/ws/carol/"} {
		if got := parleytest.DialURLRefused(t, s.url(path), nil); got.Status != http.StatusServiceUnavailable {
			t.Errorf("%s: %+v", path, got)
		}
	}
	// One that is refused takes no place, nor does its user stay known.
	bob.Send(`{"to_user":"carol"}`)
	if got := bob.Receive(); !strings.Contains(got, "not_found") {
		t.Error(got)
	}
	bob.Close(parley.CloseNormal)
	s.dialOnceFree("/ws/carol/")
	all.Close(parley.CloseNormal)
	s.dialOnceFree("/ws/")
}

// dialOnceFree opens a connection in the place of one that was just closed:
// Disconnect comes right behind the answer to a close frame.
func (r *running) dialOnceFree(path string) {
	r.t.Helper()
	for range 1000 {
		nc, _, _, err := ws.Dial(r.t.Context(), "ws"+strings.TrimPrefix(r.url(path), "http"))
		if err == nil {
			r.t.Cleanup(func() { _ = nc.Close() }) // the server may have
			return
		}
		if err != ws.StatusError(http.StatusServiceUnavailable) {
			r.t.Fatal(err)
		}
	}
	r.t.Errorf("%s: no place was freed", path)
}

func TestMessageBytes(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Limits: server.Limits{MessageBytes: 10}})
	c := s.dial("/ws/")
	c.Send("0123456789")
	c.Receive()
	c.Send("0123456789a")
	if got := c.CloseCode(); got != parley.CloseTooLarge {
		t.Errorf("closed with %v", got)
	}
}

// TestSlowReaderIsToldOf has one connection not read, and looks for the log line
// and the counters of what became of it.
func TestSlowReaderIsToldOf(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]string{"close": `"slow_closed":1,`, "drop": `"slow_closed":0,`} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := start(t, server.Config{Limits: server.Limits{SendQueueBytes: 1, SlowReader: policy}})
			dialer := ws.Dialer{NetDial: dialSmall}
			slow, _, _, err := dialer.Dial(t.Context(), "ws"+strings.TrimPrefix(s.url("/ws/"), "http"))
			if err != nil {
				t.Fatal(err)
			}
			fast := s.dial("/ws/")
			data := make([]byte, 1<<20)
			for range 12 {
				fast.SendBinary(data)
				fast.ReceiveBinary()
			}
			if err := slow.Close(); err != nil {
				t.Error(err)
			}
			if err := s.stop(); err != nil {
				t.Error(err)
			}
			log := s.log.String()
			if !strings.Contains(log, want) || strings.Contains(log, `"slow_dropped":0`) != (policy == "close") {
				t.Error(log)
			}
		})
	}
}

// dialSmall connects with a receive buffer that the kernel does not enlarge.
func dialSmall(ctx context.Context, network, addr string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return nc, nc.(*net.TCPConn).SetReadBuffer(16 << 10)
}

func TestNothingLostNothingLogged(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	c := s.dial("/ws/")
	c.Send("x")
	c.Receive()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if log := s.log.String(); strings.Contains(log, "lost") {
		t.Error(log)
	}
}

func TestHeaderBytes(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	got := s.do(http.MethodGet, s.url("/"), "", map[string]string{"X-Large": strings.Repeat("x", 64<<10)})
	if got.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%+v", got)
	}
}
