package socket

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
)

// TestPauseAndResume pauses reading at each message, and has it go on at once or
// later, by another goroutine or, where a goroutine reads, from within Receive:
// all messages come, once and in order, never two at a time.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		for _, within := range []bool{false, true} {
			if within && strings.HasPrefix(k.name, "polled") {
				continue // Receive is called on the loop
			}
			t.Run(fmt.Sprintf("within %v", within), func(t *testing.T) {
				t.Parallel()
				pauseAndResume(t, k, within)
			})
		}
	})
}

func pauseAndResume(t *testing.T, k kind, within bool) {
	const total = 2000
	e := newTestEngine(t, k.config())
	server, client := k.pair(t)
	h, c := newRecorder(), &Conn{}
	got, again, end := make(chan string, total), make(chan bool, total), make(chan bool)
	t.Cleanup(func() { close(end) })
	resume := func() {
		if err := c.Resume(); err != nil {
			t.Error(err)
		}
	}
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
			resume()
		} else {
			again <- true
		}
		return false
	}
	go func() {
		for {
			select {
			case <-again:
				resume()
			case <-end:
				return
			}
		}
	}()
	check(t, e.Open(c, server, nil, h))
	check(t, c.Accept())
	check(t, c.Start(append(clientFrame(ws.OpText, "0"), clientFrame(ws.OpText, "1")...)))
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
