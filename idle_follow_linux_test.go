package parley_test

import (
	"fmt"
	"testing"

	"github.com/parley-rt/parley"
)

// TestFollowersAreSmall holds what it costs an idle connection that an address is
// kept: one that began with an old message, and now waits for live ones.
func TestFollowersAreSmall(t *testing.T) {
	if raceEnabled { // which takes memory of its own
		t.Skip("memory is not what it is without the race detector")
	}
	n := 2000
	if testing.Short() {
		n = 500
	}
	const most = 320 // bytes; some 190, and noise
	for _, k := range engines {
		each := make(map[bool]int)
		for _, keeps := range []bool{false, true} {
			var rules []parley.KeepRule
			var options *parley.JoinOptions
			if keeps {
				rules, options = keepAll(), &parley.JoinOptions{After: parley.Cursor{Epoch: 1}}
			}
			join := func(c *parley.Conn, _ int64) error { return c.Join(g, options) }
			hub := k.hub(t, &parley.Options{Keep: rules})
			keepIf(t, hub, keeps)
			all := &idlers{connect: join}
			s := newSite(t, "tcp", hub, func() parley.Consumer { return idler{all: all} })
			s.bare(t, 100) // so that all is there that does not depend on how many there are
			heap := heapInUse()
			s.bare(t, n)
			bound := 800
			if k.engine == "portable" {
				bound = 1600
			}
			until(t, fmt.Sprintf("a connection costs %d bytes at most, and %d more where it is kept", bound, most), func() bool {
				each[keeps] = (heapInUse() - heap) / n
				return each[keeps] <= bound && (!keeps || each[true]-each[false] <= most)
			})
		}
		t.Logf("%v: %d bytes of heap for a connection in a group, %d more where it is kept", k, each[false], each[true]-each[false])
	}
}

// keepIf keeps a message of the group.
func keepIf(t *testing.T, hub *parley.Hub, keeps bool) {
	t.Helper()
	if err := hub.Send(t.Context(), g, parley.Text("a"), parley.Keep(keeps)); err != nil {
		t.Fatal(err)
	}
}
