package parley_test

import (
	"context"
	"errors"
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
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
				closed := make(chan error, 1)
				go func() { closed <- hub.Close(ctx) }()
				if err := await(t, closed, "Close"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Close returned %v", err)
				}
			})
		})
	}
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
