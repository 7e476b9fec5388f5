package parley_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// TestBatchLeavesInOneWrite has a client send many messages in one write, which
// its consumer sends on to everyone: each receiver gets them in one write, at
// once. A consumer that takes its time over each does not keep them back.
func TestBatchLeavesInOneWrite(t *testing.T) {
	t.Parallel()
	const messages, receivers = 100, 5
	for name, c := range map[string]struct {
		receive func(*parley.Conn, parley.Message) error
		last    string
		writes  int
	}{
		"all":          {toEveryone, "", 1},
		"not the last": {toEveryone, text("not sent on"), 1},
		"slowly":       {toEveryoneSlowly, "", messages},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handler := newHub(t, nil).Handler(func() parley.Consumer { return consumer{connect: joinEveryone, receive: c.receive} })
				var wires []*wire
				var counts []*counted
				for range receivers {
					w, writes := pipe(t, handler)
					wires, counts = append(wires, w), append(counts, writes)
				}
				synctest.Wait()
				for _, writes := range counts {
					writes.taken() // the handshake's
				}
				var send strings.Builder
				for i := range messages {
					send.WriteString(text(fmt.Sprint(i)))
				}
				start := time.Now()
				wires[0].send(send.String(), c.last)
				for i := range messages {
					for _, w := range wires {
						w.expect(fmt.Sprintf("text %q", fmt.Sprint(i)))
					}
				}
				if waited := time.Since(start); c.writes == 1 && waited > 0 {
					t.Errorf("the batch waited for %v", waited)
				}
				for i, writes := range counts {
					if n := writes.taken(); n != c.writes {
						t.Errorf("receiver %d was written to %d times, want %d", i, n, c.writes)
					}
				}
			})
		})
	}
}

func joinEveryone(c *parley.Conn) error { return c.Join(parley.Everyone, nil) }

func toEveryone(c *parley.Conn, m parley.Message) error {
	if string(m.Data) == "not sent on" {
		return nil
	}
	defer runtime.Gosched() // a loop that was woken runs now
	return c.Send(c.Context(), parley.Everyone, m)
}

func toEveryoneSlowly(c *parley.Conn, m parley.Message) error {
	defer time.Sleep(2 * time.Millisecond)
	return toEveryone(c, m)
}
