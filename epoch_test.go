package parley_test

import (
	"context"
	"testing"

	"github.com/parley-rt/parley"
)

// restored is a layer whose users have a phone with a place of another epoch, as a
// store does that was restored from a backup.
type restored struct{ parley.Layer }

type restoredLink struct{ parley.Link }

func (r restored) Attach(local parley.Local) parley.Link { return restoredLink{r.Layer.Attach(local)} }

func (l restoredLink) Cursors(ctx context.Context, of parley.Address) (map[string]parley.Cursor, error) {
	named, err := l.Link.Cursors(ctx, of)
	if _, known := named["phone"]; err == nil && !known {
		named["phone"] = parley.Cursor{Epoch: 1, Seq: 50}
	}
	return named, err
}

// TestNewDeviceOfAnotherEpoch has a device be introduced though all that others
// acknowledged was in another epoch: what they acknowledge then is not its.
func TestNewDeviceOfAnotherEpoch(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Layer: restored{parley.NewMemoryLayer()}})
		m := newMail(t, k, hub, nil)
		keep(t, hub, bob, 0, 4)
		tablet := m.as(t, "bob", &parley.JoinOptions{Device: "tablet"})
		tablet.numbers(0, 4)
		reset(t, tablet)
		phone := m.as(t, "bob", &parley.JoinOptions{Device: "phone"})
		phone.numbers(0, 4)
		phone.acknowledge()
		m.as(t, "bob", &parley.JoinOptions{Device: "tablet"}).numbers(0, 4)
	})
}
