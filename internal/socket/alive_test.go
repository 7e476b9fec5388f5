package socket

import (
	"io"
	"testing"
	"time"
)

// TestSlowPeerIsNotDead has a peer take what waits for it so slowly that a ping
// behind it is answered too late: as long as it takes something it lives.
func TestSlowPeerIsNotDead(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.PingInterval, cfg.QueueBytes = 500*time.Millisecond, 8<<20
		e := newTestEngine(t, cfg)
		server, client := k.pair(t)
		setWriteBuffer(t, server, 16<<10)
		check(t, client.SetReadBuffer(64<<10))
		c := open(t, e, server, newRecorder())
		check(t, c.Start(nil))
		const size = 6 << 20
		check(t, c.Write(t.Context(), Frame(true, make([]byte, size)), false))
		pace := time.NewTicker(20 * time.Millisecond)
		defer pace.Stop()
		for got := 0; got < size; got += 32 << 10 {
			<-pace.C
			if _, err := io.CopyN(io.Discard, client, 32<<10); err != nil {
				t.Fatalf("after %d of %d bytes: %v", got, size, err)
			}
		}
		if n := e.Stats().DeadClosed.Load(); n > 0 {
			t.Errorf("%d connections were taken for dead", n)
		}
	})
}
