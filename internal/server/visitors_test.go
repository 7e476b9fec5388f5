package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// TestVisitors opens many connections that send nothing: the one that did nothing
// for longest is closed for each that comes, one that asks is answered, and none is
// remembered after its end.
func TestVisitors(t *testing.T) {
	t.Parallel()
	const limit = 5
	v := newVisitors(limit)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	arrived := make(chan bool, 1)
	s.Config.ConnState = func(nc net.Conn, state http.ConnState) {
		v.note(nc, state)
		if state == http.StateNew {
			arrived <- true
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	asks := func(nc net.Conn) {
		t.Helper()
		if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 1024)
		n, err := nc.Read(answer)
		if err != nil || string(answer[:12]) != "HTTP/1.1 200" {
			t.Fatalf("got %q and %v, want an answer", answer[:n], err)
		}
	}
	busy := visit(t, s)
	<-arrived
	asks(busy)
	var idle []net.Conn
	for range 4 * limit {
		idle = append(idle, visit(t, s))
		<-arrived
		asks(busy)
	}
	for i, nc := range idle[:len(idle)-limit+1] {
		if _, err := nc.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("reading connection %d gave %v, want its end", i, err)
		}
	}
	asks(idle[len(idle)-1])
	s.CloseClientConnections()
	s.Close()
	if n := len(v.places) + v.order.Len(); n != 0 {
		t.Errorf("%d are remembered", n)
	}
}

// visit opens a connection.
func visit(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// TestServerHasVisitors opens one connection more at a server of ours than it has
// room for: the first is closed.
func TestServerHasVisitors(t *testing.T) {
	t.Parallel()
	s := &Server{log: slog.New(slog.DiscardHandler)}
	limit := visitorsFor(openFileLimit())
	if limit > 1<<20 {
		t.Skip("the system knows no limit")
	}
	note := s.newHTTP(nil).ConnState
	first := &visitor{}
	note(first, http.StateNew)
	for range limit - 1 {
		note(&visitor{}, http.StateNew)
	}
	if first.closed {
		t.Fatalf("closed with %d connections, which is the limit", limit)
	}
	note(&visitor{}, http.StateNew)
	if !first.closed {
		t.Error("there is one too many, and the first is not closed")
	}
}

// visitor is a connection that is closed or not.
type visitor struct {
	net.Conn
	closed bool
}

func (v *visitor) Close() error {
	v.closed = true
	return nil
}

// TestVisitorsLeaveFilesForOthers takes half of what WebSocket connections leave.
func TestVisitorsLeaveFilesForOthers(t *testing.T) {
	t.Parallel()
	for files, want := range map[uint64]int{0: 16, 1024: 51, 20_000: 1000, 1 << 63: 1<<31 - 1} {
		if got := visitorsFor(files); got != want {
			t.Errorf("%d files: %d visitors, want %d", files, got, want)
		}
	}
}
