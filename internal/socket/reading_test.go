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
	var reads atomic.Bool // that the handler may be given something
	reads.Store(true)
	h.receive = func(messages []Message) bool {
		if !reads.CompareAndSwap(true, false) {
			t.Error("read while reading was paused, or twice at a time")
		}
		for i, m := range messages {
			got <- string(m.Data)
			if within && i == 0 {
				reads.Store(true)
				resume()
				turn(c.loop) // which knows of it before reading pauses
			}
		}
		if !within {
			again <- true
		}
		return false
	}
	go func() {
		for {
			select {
			case <-again:
				reads.Store(true)
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

// turn waits until a loop has done what it was told before, or has ended.
func turn(l *Loop) {
	done := make(chan struct{})
	if l.put(background, post{kind: postDo, do: func() { close(done) }}) == nil {
		select {
		case <-done:
		case <-l.stopped:
		}
	}
}
