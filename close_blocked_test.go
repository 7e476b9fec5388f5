package parley_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestCloseOfABlockedHub has a program's Encode, or a layer, not return: Close does all
// the same, soon after its context ended, and says what was left.
func TestCloseOfABlockedHub(t *testing.T) {
	t.Parallel()
	blocks := map[string]func(t *testing.T, k kind, goOn chan struct{}, called chan struct{}) *parley.Hub{
		"Encode of a page": func(t *testing.T, k kind, goOn, called chan struct{}) *parley.Hub {
			hub := k.hub(t, nil)
			keep(t, hub, bob, 0, 1)
			newMail(t, k, hub, func(c consumer) parley.Consumer { return blocked{c, goOn, called} }).as(t, "bob", nil)
			return hub
		},
		"Encode of a live message": func(t *testing.T, k kind, goOn, called chan struct{}) *parley.Hub {
			hub := k.hub(t, nil)
			newMail(t, k, hub, func(c consumer) parley.Consumer { return blocked{c, goOn, called} }).as(t, "bob", nil).quiet()
			hub.SendAsync(bob, parley.Text("x"), func(parley.Sent, error) {})
			return hub
		},
		"ReadAfter": func(t *testing.T, k kind, goOn, called chan struct{}) *parley.Hub {
			layer := &hangs{Layer: parley.NewMemoryLayer(), goOn: goOn, called: called}
			hub := k.hub(t, &parley.Options{Layer: layer})
			m := newMail(t, k, hub, nil)
			w := m.as(t, "bob", nil)
			keep(t, hub, bob, 0, 1)
			w.numbers(0, 1)
			w.acknowledge()
			m.leave(t, bob, w)
			keep(t, hub, bob, 1, 3)
			layer.call = "ReadAfter"
			m.as(t, "bob", nil)
			return hub
		},
	}
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, unlike, func(t *testing.T, k kind) {
				goOn, called := make(chan struct{}), make(chan struct{}, 1)
				hub := block(t, k, goOn, called)
				defer close(goOn)
				await(t, called, "the call that blocks")
				closesSoon(t, hub, readersLeft[name])
			})
		})
	}
}

// readersLeft is what Close says of readers, by what blocks.
var readersLeft = map[string]string{
	"Encode of a page":         "1 readers of logs were left",
	"Encode of a live message": "1 messages were not known to be safe",
	"ReadAfter":                "1 readers of logs were left",
}

// blocked is an Encoder that does not return until the test ends.
type blocked struct {
	consumer
	goOn, called chan struct{}
}

func (b blocked) Encode(m parley.Message) (parley.Message, error) {
	select {
	case b.called <- struct{}{}:
	default:
	}
	<-b.goOn
	return m, nil
}

// TestCloseOfAHangingLayer has calls of the layer not return that the hub makes by
// itself: the end of a connection, an acknowledgement, and the end of the link.
func TestCloseOfAHangingLayer(t *testing.T) {
	t.Parallel()
	for call, says := range map[string]string{
		"Unsubscribe": "1 connections were left",
		"Advance":     "an event loop took no close frames",
		"Close":       "0 readers of logs were left",
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			onAll(t, unlike, func(t *testing.T, k kind) {
				layer := &stuck{hangs{Layer: parley.NewMemoryLayer(), call: call, goOn: make(chan struct{}), called: make(chan struct{}, 1)}}
				defer close(layer.goOn)
				hub := k.hub(t, &parley.Options{Layer: layer, Limits: parley.Limits{MailboxBytes: 1 << 12}})
				keep(t, hub, bob, 0, 1)
				w := newMail(t, k, hub, nil).as(t, "bob", nil)
				w.numbers(0, 1)
				switch call {
				case "Unsubscribe":
					w.send(closing(1000, ""))
					await(t, layer.called, call)
				case "Advance": // on a loop, whose mailbox is full then
					w.quiet()
					w.answer()
					await(t, layer.called, call)
					fill(t, hub)
				}
				closesSoon(t, hub, says)
			})
		})
	}
}

// fill sends to bob until there is no room, as the loop does not go on.
func fill(t *testing.T, hub *parley.Hub) {
	t.Helper()
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := hub.Send(ctx, bob, parley.Text("x"), parley.Keep(false))
		cancel()
		if err != nil {
			return
		}
	}
	t.Fatal("there is always room")
}

// closesSoon closes a hub that something holds up, and holds its error to what it says.
func closesSoon(t *testing.T, hub *parley.Hub, says string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- hub.Close(ctx) }()
	err := await(t, closed, "Close")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), says) {
		t.Errorf("Close returned %v, want it to say %q", err, says)
	}
}

// stuck hangs in calls that are given no context.
type stuck struct{ hangs }

type stuckLink struct{ hangingLink }

func (s *stuck) Attach(local parley.Local) parley.Link {
	return &stuckLink{hangingLink{s.Layer.Attach(local), &s.hangs}}
}

func (l *stuckLink) Unsubscribe(of parley.Address) {
	_ = l.hang(context.Background(), "Unsubscribe")
	l.Link.Unsubscribe(of)
}

func (l *stuckLink) Advance(of parley.Address, name string, to parley.Cursor) {
	_ = l.hang(context.Background(), "Advance")
	l.Link.Advance(of, name, to)
}

func (l *stuckLink) Close() error {
	return errors.Join(l.hang(context.Background(), "Close"), l.Link.Close())
}
