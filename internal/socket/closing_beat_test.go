package socket

import (
	"bytes"
	"testing"

	"github.com/gobwas/ws"
)

// TestBeatSparesTheClosing has the closing handshake take longer than two pings, from
// either side: it is the close timeout's to end it.
func TestBeatSparesTheClosing(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(t *testing.T, c *Conn, client peer){
		"the peer closes": func(t *testing.T, _ *Conn, client peer) { send(t, client, clientFrame(ws.OpClose, "\x03\xe8")) },
		"we close":        func(t *testing.T, c *Conn, _ peer) { check(t, c.Close(codeNormal, "")) },
		"the peer fails":  func(t *testing.T, _ *Conn, client peer) { send(t, client, bytes.Repeat([]byte{0xff}, 20)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onKinds(t, func(t *testing.T, k kind) {
				e, h := newTestEngine(t, hourly(k.config())), newRecorder()
				server, client := k.pair(t)
				c := open(t, e, server, h)
				check(t, c.Start(nil))
				begin(t, c, client)
				untilTrue(t, "the closing handshake began", func() (began bool) {
					onLoop(t, c.loop, func() { began = c.peerClosed || c.state == stateClosing })
					return began
				})
				for range 5 {
					interval(t, c)
				}
				if n := e.Stats().DeadClosed.Load(); n > 0 || len(h.closed) > 0 {
					t.Fatalf("%d were taken for dead, %d are closed", n, len(h.closed))
				}
				check(t, client.Close())
				onLoop(t, c.loop, func() { c.loop.finalize(c, codeAbnormal) })
			})
		})
	}
}
