package parley_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestSettleInTimeOfSends has a layer hang in Append of what Connect sends. Where it
// heeds its context, done tells. Either way the client is told, and what is behind is
// lost.
func TestSettleInTimeOfSends(t *testing.T) {
	t.Parallel()
	for _, heeds := range []bool{true, false} {
		t.Run(fmt.Sprintf("heeds %v", heeds), func(t *testing.T) {
			t.Parallel()
			onAll(t, engines, func(t *testing.T, k kind) {
				goOn := make(chan struct{})
				layer := &meddling{append: func(ctx context.Context, e parley.Envelope, done func(parley.Sent, error), link parley.Link) error {
					if !heeds {
						ctx = context.Background()
					}
					select {
					case <-goOn:
						return link.Append(ctx, e, done)
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}}
				hub := k.hub(t, &parley.Options{Layer: layer, Limits: parley.Limits{HandshakeTimeout: 100 * time.Millisecond, CloseTimeout: time.Hour}})
				first, ofFirst := collect(1)
				second, ofSecond := collect(1)
				w := newMail(t, k, hub, nil).connects(t, func(c *parley.Conn) error {
					c.SendAsync(bob, parley.Text("a"), first)
					err := c.Send(t.Context(), bob, parley.Text("b"))
					c.SendAsync(bob, parley.Text("c"), second)
					return err
				})
				w.expect("close 1013")
				w.send(closing(1013, ""))
				w.expect("eof")
				close(goOn)
				one, two := await(t, ofFirst, "the first done").err, await(t, ofSecond, "the second done").err
				want := map[bool]parley.Code{true: parley.Unavailable}[heeds]
				if codeOf(one) != want || heeds != (one != nil) || two != parley.ErrClosed {
					t.Errorf("the dones got %v and %v", one, two)
				}
				until(t, "the connection is over", func() bool { return hub.Stats().Connections == 0 })
			})
		})
	}
}

// TestSettleAndCloseOfHub closes a hub whose layer hangs, and heeds no context: Close
// returns when its context ends.
func TestSettleAndCloseOfHub(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Subscribe", "Head", "Cursors", "ReadAfter", "Introduce"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			onAll(t, engines, func(t *testing.T, k kind) {
				layer := &hangs{Layer: parley.NewMemoryLayer(), call: call, goOn: make(chan struct{}), called: make(chan struct{}, 1)}
				hub := k.hub(t, &parley.Options{Layer: layer})
				m := newMail(t, k, hub, nil)
				m.next <- func(c *parley.Conn) error { return c.Identify("bob", &parley.JoinOptions{Device: "phone"}) }
				w := m.connect(t)
				w.send(m.handshake())
				await(t, layer.called, "the layer")
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				closed := make(chan error, 1)
				go func() { closed <- hub.Close(ctx) }()
				if err := await(t, closed, "Close"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Close returned %v", err)
				}
				close(layer.goOn)
				until(t, "the connection is over", func() bool { return hub.Stats().Connections == 0 })
			})
		})
	}
}
