package parleytest_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// sendFrames accepts a connection, sends frames, and waits until the client goes.
func sendFrames(t *testing.T, w http.ResponseWriter, r *http.Request, frames ...ws.Frame) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	for _, f := range frames {
		if err == nil {
			err = ws.WriteFrame(conn, f)
		}
	}
	if err != nil {
		t.Errorf("accepting: %v", err)
		return
	}
	for err == nil {
		_, err = conn.Read(make([]byte, 100))
	}
	if err := conn.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
}

func TestFragments(t *testing.T) {
	t.Parallel()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sendFrames(
			t, w, r,
			ws.NewFrame(ws.OpText, false, []byte("one ")),
			ws.NewPingFrame([]byte("between")),
			ws.NewFrame(ws.OpContinuation, true, []byte("message")),
			ws.NewCloseFrame(nil),
		)
	})
	c := parleytest.Dial(t, handler, "/", nil)
	if got := c.Receive(); got != "one message" {
		t.Errorf("got %q", got)
	}
	if got := c.CloseCode(); got != parley.CloseNoStatus {
		t.Errorf("got %v", got)
	}
}

// A client that leaves its messages unread is too slow for the hub.
func TestUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, &parley.Options{Limits: parley.Limits{SendQueueBytes: 10_000}})
		c := parleytest.Dial(t, hub.Handler(newEcho), "/", &parleytest.Options{InMemory: true, Unread: 5})
		m := parley.Text(strings.Repeat("x", 1000))
		for range 30 {
			if err := hub.Send(t.Context(), parley.Group("lobby"), m); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if n := hub.Stats().SlowClosed; n != 1 {
			t.Errorf("%d connections were closed for slowness", n)
		}
		for range 5 {
			c.Receive()
		}
	})
}
