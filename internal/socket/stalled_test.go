package socket

import (
	"io"
	"testing"
	"time"
)

// TestStalled ends a connection that takes nothing of what is queued for the
// write timeout, and leaves one alone that takes some.
func TestStalled(t *testing.T) {
	t.Parallel()
	for _, k := range kinds[:2] {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			cfg, e := k.config(), newTestEngine(t, backlogged(k))
			l, h := e.loops[0], newRecorder()
			c, client := openPolled(t, k, e, h, 64<<10)
			for c.queued() == 0 {
				check(t, c.Write(t.Context(), Frame(true, make([]byte, 1<<20)), false))
				onLoop(t, l, func() {})
			}
			for range 6 {
				check(t, c.Write(t.Context(), Frame(true, make([]byte, 1<<20)), false))
			}
			onLoop(t, l, func() {})
			for range 3 {
				since := lastTaken(t, c)
				queued := c.queued()
				onLoop(t, l, func() { l.checkStalled(since.Add(cfg.WriteTimeout - 1)) })
				for c.queued() == queued { // until the kernel asks for more
					_, err := client.Read(make([]byte, 16<<10))
					check(t, err)
				}
				if !lastTaken(t, c).After(since) {
					t.Error("what was taken does not count")
				}
			}
			untilTrue(t, "it is closed", func() bool { // the kernel may take yet more
				onLoop(t, l, func() { l.checkStalled(c.out.Load().since.Add(cfg.WriteTimeout)) })
				return len(h.closed) > 0
			})
			if code := await(t, h.closed, "Closed"); code != cfg.SlowCloseCode {
				t.Errorf("closed with %d, want %d", code, cfg.SlowCloseCode)
			}
			if n := e.Stats().SlowClosed.Load(); n != 1 {
				t.Errorf("SlowClosed is %d, want 1", n)
			}
			if _, err := io.Copy(io.Discard, client); isTimeout(err) {
				t.Error("the connection did not end")
			}
			onLoop(t, l, func() {
				if n := len(l.stalled); n > 0 {
					t.Errorf("the loop holds %d stalled connections", n)
				}
			})
		})
	}
}

// TestSlowTakerIsNotStalled leaves a connection alone that takes some, but too
// little for the kernel to ask for more of itself.
func TestSlowTakerIsNotStalled(t *testing.T) {
	t.Parallel()
	for _, k := range kinds[:2] {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			cfg, e := k.config(), newTestEngine(t, backlogged(k))
			l, h := e.loops[0], newRecorder()
			c, client := openPolled(t, k, e, h, 2<<20)
			for range 16 {
				check(t, c.Write(t.Context(), Frame(true, make([]byte, 1<<20)), false))
			}
			onLoop(t, l, func() {})
			for range 5 {
				since := lastTaken(t, c)
				_, err := io.CopyN(io.Discard, client, 512<<10)
				check(t, err)
				onLoop(t, l, func() { l.checkStalled(since.Add(cfg.WriteTimeout)) })
				if len(h.closed) > 0 {
					t.Fatalf("closed with %d, though it takes some", <-h.closed)
				}
				if !lastTaken(t, c).After(since) {
					t.Error("what was taken does not count")
				}
			}
		})
	}
}

// lastTaken returns when something was taken last of the outbox of c.
func lastTaken(t *testing.T, c *Conn) (at time.Time) {
	t.Helper()
	onLoop(t, c.loop, func() {
		if o := c.out.Load(); o != nil {
			at = o.since
		}
	})
	if at.IsZero() {
		t.Fatal("nothing is stalled")
	}
	return at
}

// backlogged lets much be queued for a connection.
func backlogged(k kind) Config {
	cfg := k.config()
	cfg.QueueBytes = 1 << 26
	return cfg
}

// openPolled opens a connection of a write buffer's size that its loop polls, or
// skips the test.
func openPolled(t *testing.T, k kind, e *Engine, h Handler, buffer int) (*Conn, peer) {
	t.Helper()
	server, client := k.pair(t)
	setWriteBuffer(t, server, buffer)
	c := open(t, e, server, h)
	if _, is := c.io.(*stream); is {
		t.Skip("nothing is polled here")
	}
	return c, client
}
