package socket

import (
	"io"
	"runtime"
	"testing"

	"github.com/gobwas/ws"
)

// takers are the kinds of which the system tells what it holds.
func takers(t *testing.T, f func(t *testing.T, k kind)) {
	t.Helper()
	for _, k := range kinds[:4] {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS != "linux" {
				t.Skip("the system does not tell what it holds")
			}
			f(t, k)
		})
	}
}

// TestSlowTakerIsNotDead has a peer take some of a message between any two pings, and
// answer none. All of it is in the kernel's hands, so only the kernel knows. Once the
// peer takes no more it is dead.
func TestSlowTakerIsNotDead(t *testing.T) {
	t.Parallel()
	takers(t, func(t *testing.T, k kind) {
		const size, piece = 320 << 10, 80 << 10 // the kernel counts pieces of up to 64 KiB as held until all of one is taken
		e, h := newTestEngine(t, hourly(k.config())), newRecorder()
		server, client := k.pair(t)
		setWriteBuffer(t, server, 4*size)
		check(t, client.SetReadBuffer(4<<10))
		c := open(t, e, server, h)
		check(t, c.Start(nil))
		check(t, c.Write(t.Context(), Frame(true, make([]byte, size)), false))
		untilTrue(t, "it is written", func() (written bool) {
			onLoop(t, c.loop, func() {})
			return c.out.Load() == nil
		})
		c.seen.Store(false) // whatever a writer made of it
		for taken := 0; taken < size; taken += piece {
			interval(t, c)
			if len(h.closed) > 0 {
				t.Fatalf("taken for dead after it took %d bytes", taken)
			}
			_, err := io.CopyN(io.Discard, client, piece)
			check(t, err)
		}
		for n := 0; len(h.closed) == 0; n++ {
			if n == 4 {
				t.Fatal("it lives for ever")
			}
			interval(t, c)
		}
	})
}

// TestTakenPingsAreNoLife has the system of a peer that hangs take each ping, and
// messages that it never reads: it is dead after two pings all the same.
func TestTakenPingsAreNoLife(t *testing.T) {
	t.Parallel()
	takers(t, func(t *testing.T, k kind) {
		e, h := newTestEngine(t, hourly(k.config())), newRecorder()
		server, client := k.pair(t)
		c := open(t, e, server, h)
		check(t, c.Start(nil))
		for range 3 {
			if len(h.closed) > 0 {
				t.Fatal("closed too early")
			}
			check(t, c.Write(t.Context(), Frame(true, make([]byte, 100)), false))
			interval(t, c)
		}
		await(t, h.closed, "Closed")
		pings := 0
		for _, op := range frames(client) {
			if op == ws.OpPing {
				pings++
			}
		}
		if pings != 2 {
			t.Errorf("got %d pings, want 2", pings)
		}
	})
}
