package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley/internal/server"
)

// TestUnfinishedBytes has 100 connections hold an unfinished message of 1 MiB, and 50
// requests a body of nearly as much: together they hold no more than they may, and
// small ones go on.
func TestUnfinishedBytes(t *testing.T) {
	s := start(t, server.Config{Limits: server.Limits{UnfinishedBytes: 8 << 20, CloseTimeout: 100 * time.Millisecond}, DebugAddr: "127.0.0.1:0"})
	before := heapBytes()
	long := textFrame(strings.Repeat("a", 1<<20))
	for range 100 {
		conn := s.silent("/ws/")
		if err := conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(long[:len(long)-1]) // it may be cut off
	}
	var refused int
	var posts []net.Conn
	for range 50 {
		posts = append(posts, s.post(1<<20))
	}
	for _, conn := range posts {
		if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil { // it is among those that have room
			continue
		}
		var problem struct{ Code string }
		if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil || answer.StatusCode != http.StatusServiceUnavailable || problem.Code != "unavailable" {
			t.Fatalf("a body was answered with %s, %+v, %v", answer.Status, problem, err)
		}
		_ = answer.Body.Close()
		refused++
	}
	if refused < 42 {
		t.Errorf("%d of 50 bodies found no room", refused)
	}
	if grown := heapBytes() - before; grown > 24<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
	if got := s.do(http.MethodPost, s.url("/v1/send"), `{"to":"everyone","data":1}`, map[string]string{"Content-Type": "application/json"}); got.status != http.StatusOK {
		t.Errorf("a small body was answered with %d, %s", got.status, got.body)
	}
	conn := s.silent("/ws/")
	small := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(bytes.Repeat([]byte("b"), 1000))))
	for _, piece := range [][]byte{small[:500], small[500:]} {
		if _, err := conn.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if got := readText(t, conn); len(got) != 1000 {
		t.Errorf("got %d bytes", len(got))
	}
	if got := s.do(http.MethodGet, "http://"+s.DebugAddr().String()+"/debug/vars", "", nil); !strings.Contains(got.body, `"no_room":1`) {
		t.Errorf("no_room is not more than a hundred: %s", got.body[strings.Index(got.body, `"parley"`):])
	}
}

// post begins a request with a body of n bytes, of which the last one is missing.
func (r *running) post(n int) net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /v1/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", n)
	_, _ = conn.Write(make([]byte, n-1)) // it may be cut off
	return conn
}
