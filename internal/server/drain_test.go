package server_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/parleytest"
)

func TestDrainClosesConnections(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	clients := []*parleytest.Communicator{s.dial("/ws/"), s.dial("/ws/bob/")}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	for _, c := range clients {
		if got := c.CloseCode(); got != parley.CloseGoingAway {
			t.Errorf("closed with %v", got)
		}
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

// TestReadinessGoesFirst looks at a server that waits for a client to answer
// its close frame.
func TestReadinessGoesFirst(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Limits: server.Limits{CloseTimeout: time.Minute}})
	stubborn, ended := stubbornClient(t, s), make(chan error, 1)
	go func() { ended <- s.stop() }()
	if got := closeCode(t, stubborn); got != ws.StatusGoingAway {
		t.Errorf("closed with %d", got)
	}
	if got := s.get("/readyz").status; got != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d", got)
	}
	if got := s.get("/healthz").status; got != http.StatusOK {
		t.Errorf("/healthz: %d", got)
	}
	if got := parleytest.DialURLRefused(t, s.url("/ws/"), nil).Status; got != http.StatusServiceUnavailable {
		t.Errorf("/ws/: %d", got)
	}
	wantProblem(t, s.send(`{"to":"everyone","data":1}`), http.StatusServiceUnavailable, "unavailable")
	if err := stubborn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestDrainTimesOut(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{ShutdownTimeout: 50 * time.Millisecond, Limits: server.Limits{CloseTimeout: time.Minute}})
	stubbornClient(t, s)
	if err := s.stop(); err == nil || !strings.Contains(err.Error(), "1 connections were left") {
		t.Errorf("got the error %v", err)
	}
}

// stubbornClient returns a connection that nobody reads or answers on.
func stubbornClient(t *testing.T, s *running) net.Conn {
	t.Helper()
	nc, _, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(s.url("/ws/"), "http"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() }) // the test may have
	return nc
}

// closeCode reads a close frame, without answering it.
func closeCode(t *testing.T, r io.Reader) ws.StatusCode {
	t.Helper()
	header, err := ws.ReadHeader(r)
	if err != nil || header.OpCode != ws.OpClose || header.Length > 125 {
		t.Fatalf("got %+v, %v", header, err)
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(r, payload); err != nil {
		t.Fatal(err)
	}
	code, _ := ws.ParseCloseFrameData(payload)
	return code
}

// TestDrainOfUnusedConnection stops with a connection open on which no request
// came, as browsers do ahead of need.
func TestDrainOfUnusedConnection(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s.get("/healthz") // accepted after the other
	begin := time.Now()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 4500*time.Millisecond { // net/http waits for 5 s
		t.Errorf("it took %v", took)
	}
}

func TestServerThatCannotListen(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	taken := s.Addr().String()
	log := server.NewLogger(&buffer{}, server.Config{})
	if _, err := server.New(server.Config{Addr: taken}, nil, log); err == nil || !strings.HasPrefix(err.Error(), "--addr: ") {
		t.Errorf("got the error %v", err)
	}
	if _, err := server.New(server.Config{Addr: "127.0.0.1:0", DebugAddr: taken}, nil, log); err == nil || !strings.HasPrefix(err.Error(), "--debug-addr: ") {
		t.Errorf("got the error %v", err)
	}
}
