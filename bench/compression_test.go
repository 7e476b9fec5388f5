package main

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-rt/parley/bench/internal/proc"
)

// TestGorillaCompresses has gorilla's client, which a program that imports Parley does not see in its module graph, compress with parley serve.
func TestGorillaCompresses(t *testing.T) {
	t.Parallel()
	addr := serveCompressing(t)
	sender, sent := dialGorilla(t, addr)
	other, received := dialGorilla(t, addr)
	for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
		for _, size := range []int{0, 10, 1000, 100_000} {
			want := numbers(size)
			if err := sender.WriteMessage(kind, []byte(want)); err != nil {
				t.Fatal(err)
			}
			for _, conn := range []*websocket.Conn{sender, other} {
				gotKind, got, err := conn.ReadMessage()
				if err != nil || gotKind != kind || string(got) != want {
					t.Fatalf("kind %d, %d bytes come back as %d, %d: %v", kind, size, gotKind, len(got), err)
				}
			}
		}
	}
	if n, m := sent.written.Load(), received.read.Load(); n > 100_000 || m > 100_000 {
		t.Errorf("202 KB took %d bytes to the server and %d from it", n, m)
	}
}

// serveCompressing runs parley serve --compress until the test ends.
func serveCompressing(t *testing.T) (addr string) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "parley")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/parley")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	port, err := proc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	server, err := proc.Start(t.Context(), proc.Command{Path: program, Args: []string{"serve", "--compress", "--addr", port.String()}, Dir: dir}, port, proc.Unpinned)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return port.String()
}

// metered counts a connection's bytes.
type metered struct {
	net.Conn
	read, written atomic.Int64
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.read.Add(int64(n))
	return n, err
}

func (m *metered) Write(b []byte) (int, error) {
	n, err := m.Conn.Write(b)
	m.written.Add(int64(n))
	return n, err
}

// dialGorilla joins everyone, and fails unless compression was agreed on.
func dialGorilla(t *testing.T, addr string) (*websocket.Conn, *metered) {
	t.Helper()
	meter := &metered{}
	dialer := websocket.Dialer{
		EnableCompression: true,
		NetDial: func(network, addr string) (conn net.Conn, err error) {
			meter.Conn, err = net.Dial(network, addr)
			return meter, err
		},
	}
	conn, response, err := dialer.DialContext(t.Context(), "ws://"+addr+"/ws/", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // the server may have ended it
	if got := response.Header.Get("Sec-WebSocket-Extensions"); !strings.HasPrefix(got, "permessage-deflate;") {
		t.Fatalf("the server answers with the extensions %q", got)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn, meter
}

// numbers returns a text of so many bytes that shrinks, but not to nothing.
func numbers(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d, ", i*i)
	}
	return b.String()[:size]
}
