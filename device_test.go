package parley_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// TestDeviceOfAQuietUser has no message come for longer than messages are kept: a
// device that was connected meanwhile gets what comes next, when it was away for a
// moment, whatever others acknowledged.
func TestDeviceOfAQuietUser(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"phone", ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { deviceOfAQuietUser(t, name) })
		})
	}
}

// shared is a layer whose link a test uses, too.
type shared struct {
	parley.Layer
	link parley.Link
}

func (h *shared) Attach(local parley.Local) parley.Link {
	h.link = h.Layer.Attach(local)
	return h.link
}

func deviceOfAQuietUser(t *testing.T, name string) {
	layer := &shared{Layer: parley.NewMemoryLayer()}
	hub := newHub(t, &parley.Options{Layer: layer, Keep: []parley.KeepRule{{Pattern: "user:*", Age: time.Hour}}})
	open := func(device string) *parleytest.Communicator {
		handler := hub.Handler(func() parley.Consumer {
			return consumer{connect: func(c *parley.Conn) error {
				return c.Identify("bob", &parley.JoinOptions{Device: device})
			}}
		})
		return parleytest.Dial(t, handler, "/", &parleytest.Options{InMemory: true})
	}
	receives := func(c *parleytest.Communicator, want string) {
		t.Helper()
		if got := c.Receive(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		c.Ping() // its pongs came before
		synctest.Wait()
	}
	phone, laptop := open(name), open("laptop")
	keep(t, hub, bob, 0, 1)
	receives(phone, "0")
	receives(laptop, "0")
	time.Sleep(2 * time.Hour)
	if cursors, err := layer.link.Cursors(t.Context(), bob); err != nil || len(cursors) != 2 {
		t.Errorf("of two devices that are connected, known are %v, %v", cursors, err)
	}
	phone.Cut()
	synctest.Wait()
	keep(t, hub, bob, 1, 2)
	receives(laptop, "1")
	receives(open(name), "1")
}
