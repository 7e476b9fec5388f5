package parley_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestSlowReaderLives has a client read a message so slowly that pings behind it are not
// answered in time. The system may hold all of the message: that some of it is taken is a
// sign of life.
func TestSlowReaderLives(t *testing.T) {
	t.Parallel()
	for name, keeps := range map[string]bool{"kept": true, "ephemeral": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, kinds[:5], func(t *testing.T, k kind) { // of a wrapped one the system does not tell
				hub := k.hub(t, &parley.Options{Limits: parley.Limits{PingInterval: 500 * time.Millisecond}})
				w := newMail(t, k, hub, nil).as(t, "bob", nil)
				w.receivesLittle()
				w.quiet()
				const size, piece = 900 << 10, 15 << 10
				if err := hub.Send(t.Context(), bob, blob(0, size), parley.Keep(keeps)); err != nil {
					t.Fatal(err)
				}
				pace := time.NewTicker(50 * time.Millisecond)
				defer pace.Stop()
				for got := 0; got < size; got += piece {
					<-pace.C
					if _, err := io.CopyN(io.Discard, w.r, piece); err != nil {
						t.Fatalf("after %d bytes: %v", got, err)
					}
				}
				if n := hub.Stats().DeadClosed; n > 0 {
					t.Errorf("%d connections were taken for dead", n)
				}
			})
		})
	}
}

// receivesLittle has the system take little for a client that does not read it.
func (w *wire) receivesLittle() {
	w.t.Helper()
	nc := w.nc
	if outer, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = outer.NetConn()
	}
	if err := nc.(interface{ SetReadBuffer(n int) error }).SetReadBuffer(64 << 10); err != nil {
		w.t.Fatal(err)
	}
}
