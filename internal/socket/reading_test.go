package socket

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
)

// TestPauseAndResume pauses reading at each message, and has it go on at once or
// later, by another goroutine or from within Receive: all messages come, once
// and in order, never two at a time.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"plain", "stream"} {
		for _, within := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, within %v", kind, within), func(t *testing.T) {
				t.Parallel()
				pauseAndResume(t, kind, within)
			})
		}
	}
}

func pauseAndResume(t *testing.T, kind string, within bool) {
	const total = 2000
	e := newTestEngine(t, testConfig())
	server, client := loopback(t)
	var nc net.Conn = server
	if kind == "stream" {
		nc = struct{ net.Conn }{server}
	}
	h, c := newRecorder(), &Conn{}
	got, again, end := make(chan string, total), make(chan bool, total), make(chan bool)
	t.Cleanup(func() { close(end) })
	var inside atomic.Int32
	h.receive = func(messages []Message) bool {
		if inside.Add(1) > 1 {
			t.Error("two reads at a time")
		}
		defer inside.Add(-1)
		for _, m := range messages {
			got <- string(m.Data)
		}
		if within {
			c.Resume()
		} else {
			again <- true
		}
		return false
	}
	go func() {
		for {
			select {
			case <-again:
				c.Resume()
			case <-end:
				return
			}
		}
	}()
	check(t, e.Open(c, nc, append(clientFrame(ws.OpText, "0"), clientFrame(ws.OpText, "1")...), nil, h))
	check(t, c.Accept())
	c.Resume()
	go func() {
		for i := 2; i < total; i++ {
			if _, err := client.Write(clientFrame(ws.OpText, fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range total {
		if m := await(t, got, "a message"); m != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", m, i)
		}
	}
	check(t, client.Close())
	await(t, h.closed, "Closed")
}
