package parley_test

import (
	"io"
	"net"
	"runtime"
	"testing"
)

// raw opens many connections, past their handshakes, at the cost of nothing but
// the sockets.
func (s *site) raw(t testing.TB, n int) []net.Conn {
	t.Helper()
	already := s.hub.Stats().Connections
	// The answer's length does not depend on the connection.
	w := s.connect(t)
	w.send(handshake)
	first := make([]byte, 1000)
	size, err := w.nc.Read(first)
	if err != nil {
		t.Fatal(err)
	}
	conns := make([]net.Conn, n)
	for i := range conns {
		nc, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		extend(t, nc)
		write(t, nc, handshake)
		conns[i] = nc
		if _, err := io.ReadFull(nc, first[:size]); err != nil {
			t.Fatal(err)
		}
	}
	reset(t, w)
	until(t, "the first one is gone", func() bool { return s.hub.Stats().Connections <= already+n })
	return conns
}

func write(t testing.TB, nc net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(nc, s); err != nil {
		t.Error(err)
	}
}

// roundTrips has messages come back.
func (w *wire) roundTrips(n int) {
	w.t.Helper()
	for range n {
		w.send(text("a"))
		w.expect(`text "a"`)
	}
}

// heapInUse returns the bytes of what is alive.
func heapInUse() int {
	runtime.GC()
	runtime.GC() // empties what pools keep
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
