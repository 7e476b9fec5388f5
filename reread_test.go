package parley_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/parley-rt/parley"
)

// forgetful is a layer that does not hand kept messages to its hub while the test
// says so.
type forgetful struct {
	parley.Layer
	local   parley.Local
	forgets atomic.Bool
}

type forgetfulLocal struct {
	parley.Local
	by *forgetful
}

func (f *forgetful) Attach(local parley.Local) parley.Link {
	f.local = local
	return f.Layer.Attach(&forgetfulLocal{local, f})
}

func (l *forgetfulLocal) Deliver(ctx context.Context, e parley.Envelope) error {
	if l.by.forgets.Load() && !e.Cursor.IsZero() {
		return nil
	}
	return l.Local.Deliver(ctx, e)
}

// TestReread has a layer find out that a message was kept after all: whoever was
// live gets it without another one being sent.
func TestReread(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		layer := &forgetful{Layer: parley.NewMemoryLayer()}
		hub := k.hub(t, &parley.Options{Layer: layer, Keep: keepAll()})
		g := parley.Group("g")
		w := newSite(t, k.transport, hub, guest("", "g", make(chan *parley.Conn, 2))).open(t)
		heard, started := make(chan string, 9), make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = hub.Listen(ctx, g, &parley.ListenOptions{Started: func() { close(started) }}, func(m parley.Message) error {
				heard <- string(m.Data)
				return nil
			})
		}()
		await(t, started, "the listener")
		send := func(text string) {
			t.Helper()
			if err := hub.Send(t.Context(), g, parley.Text(text)); err != nil {
				t.Fatal(err)
			}
		}
		send("one")
		w.expectMessage(`text "one"`)
		layer.forgets.Store(true)
		send("two")
		layer.forgets.Store(false)
		layer.local.Reread()
		w.expectMessage(`text "two"`)
		for _, want := range []string{"one", "two"} {
			if got := await(t, heard, want); got != want {
				t.Errorf("the listener heard %q, want %q", got, want)
			}
		}
		stop()
		await(t, ended, "the listener's end")
	})
}
