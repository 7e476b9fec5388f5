package server_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/server"
)

// textFrame returns a text message as a client sends it.
func textFrame(text string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text))))
}

// TestAnswersAreBounded has the disk stall under one message: refused ones behind it
// wait for their answers, some hundred, and then the connection is not read. What
// waits holds no long text.
func TestAnswersAreBounded(t *testing.T) {
	layer := newTestLayer()
	s := startOn(t, server.Config{}, layer)
	layer.hold(parley.User("bob"))
	conn := s.silent("/ws/alice/?ack=1")
	if _, err := conn.Write(textFrame(text(1))); err != nil {
		t.Fatal(err)
	}
	layer.wait(1)
	before := heapBytes()
	refused := textFrame(`{"to_user":"` + strings.Repeat("x", 200_000) + `"}`)
	sent := 0
	for ; sent < 2000; sent++ { // 400 MB
		if err := conn.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(refused); err != nil {
			break
		}
	}
	if sent == 2000 {
		t.Error("2,000 refused messages were read behind one that waits")
	}
	if grown := heapBytes() - before; grown > 16<<20 {
		t.Errorf("%d MiB wait behind one message", grown>>20)
	}
	layer.release(nil)
	if got := readText(t, conn); !strings.Contains(got, `"state":"kept"`) {
		t.Errorf("the first answer is %.100s", got)
	}
	for range min(sent, 300) {
		if got := readText(t, conn); !strings.Contains(got, "longer than 200 bytes") || len(got) > 500 {
			t.Fatalf("a refused message was answered with %d bytes: %.200s", len(got), got)
		}
	}
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestAnswersNobodyWaitsFor loses a connection whose messages wait for room among its
// answers: it ends although the disk still stalls.
func TestAnswersNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	layer := newTestLayer()
	s := startOn(t, server.Config{Limits: server.Limits{CloseTimeout: time.Millisecond, PingInterval: 50 * time.Millisecond, MaxConnections: 1}}, layer)
	layer.hold(parley.User("bob"))
	alice := s.dial("/ws/alice/?ack=1")
	for range 300 {
		alice.Send(text(1))
		alice.Send("nonsense")
	}
	layer.wait(128)
	alice.Cut()
	s.dialOnceFree("/ws/carol/")
	layer.release(nil)
}
