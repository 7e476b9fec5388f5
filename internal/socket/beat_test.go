package socket

import (
	"runtime"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// interval has the loop of c beat as often as it does between two pings.
func interval(t *testing.T, c *Conn) {
	t.Helper()
	for range c.loop.wheel.buckets {
		onLoop(t, c.loop, func() { c.loop.beat(time.Now()) })
	}
}

// hourly is a config under which a loop beats of itself much less often than a
// test has it.
func hourly(cfg Config) Config {
	cfg.PingInterval, cfg.CloseTimeout = time.Hour, time.Minute
	return cfg
}

// TestBeatFindsDeath ends a connection whose peer fell silent, after two pings,
// and answers to none of them, on real sockets.
func TestBeatFindsDeath(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e, h := newTestEngine(t, hourly(k.config())), newRecorder()
		server, client := k.pair(t)
		c := open(t, e, server, h)
		check(t, c.Start(nil))
		for range 2 {
			interval(t, c)
			if len(h.closed) > 0 {
				t.Fatal("closed too early")
			}
		}
		interval(t, c)
		if code := await(t, h.closed, "Closed"); code != codeAbnormal {
			t.Errorf("closed with %d, want %d", code, codeAbnormal)
		}
		if got := frames(client); len(got) != 2 || got[0] != ws.OpPing || got[1] != ws.OpPing {
			t.Errorf("got %v, want two pings", got)
		}
		if dead := e.Stats().DeadClosed.Load(); dead != 1 {
			t.Errorf("DeadClosed is %d, want 1", dead)
		}
	})
}

// TestBeatSparesTheLiving leaves connections alone that answer, or that are not
// read, until they are again.
func TestBeatSparesTheLiving(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e, h := newTestEngine(t, hourly(k.config())), newRecorder()
		h.receive = func([]Message) bool { return false }
		server, client := k.pair(t)
		c := open(t, e, server, h)
		check(t, c.Start(nil))
		for range 4 {
			interval(t, c)
			f, err := readFrame(client)
			check(t, err)
			if f.Header.OpCode != ws.OpPing {
				t.Fatalf("got %v, want a ping", f.Header)
			}
			send(t, client, clientFrame(ws.OpPong, string(f.Payload)))
			untilTrue(t, "the pong is read", c.seen.Load)
		}
		send(t, client, clientFrame(ws.OpText, "pauses reading"))
		untilTrue(t, "reading is paused", func() (paused bool) {
			onLoop(t, c.loop, func() { paused = c.io.paused() })
			return paused
		})
		for range 4 {
			interval(t, c)
		}
		if len(h.closed) > 0 {
			t.Fatal("closed, though it answered, and then was not read")
		}
		check(t, c.Resume())
		for range 3 {
			interval(t, c)
		}
		await(t, h.closed, "Closed")
	})
}

// untilTrue waits for what only shows when asked for.
func untilTrue(t *testing.T, what string, is func() bool) {
	t.Helper()
	for start := time.Now(); !is(); runtime.Gosched() {
		if time.Since(start) > patience {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
