package crash

import (
	"encoding/json"
	"fmt"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/crash/history"
	"github.com/parley-rt/parley/internal/crash/ops"
)

// stormQueue is how many bytes wait for a connection in a storm: less than a large
// message has.
const stormQueue = 64 << 10

// Of the receivers of a storm.
var (
	stormKinds    = []string{"plain", "encoder", "deliverer", "both"}
	stormPolicies = []string{"close", "drop"}
)

// storm makes a receiver one of a user's two devices. They are of two kinds.
func (v *receiver) storm(i int) {
	kind := stormKinds[(i+i/len(v.world.users))%len(stormKinds)]
	policy := stormPolicies[i/len(stormKinds)%len(stormPolicies)]
	v.path = "/" + policy + "/" + kind
	v.name = fmt.Sprintf("receiver %d on %s", i, v.path)
	v.plain, v.forgets, v.steady = kind == "plain", true, true
	v.slow = i%3 == 0
}

// cuts decides whether a receiver cuts its connection now.
func (v *receiver) cuts() bool {
	if v.steady { // or most of what comes again would be for this
		return v.rng.IntN(2000) == 0
	}
	return v.rng.IntN(500) == 0 || v.forgets && v.rng.IntN(50) == 0
}

// next returns what the server says next. A plain consumer's messages are no
// events: they are its user's.
func (v *receiver) next(c *client) (ops.Event, error) {
	if !v.plain {
		return c.receive()
	}
	text, err := c.message()
	if err != nil {
		return ops.Event{}, err
	}
	var e ops.Event
	if v.world.identify(text) == 0 && json.Unmarshal(text, &e) == nil && (e.Joined != nil || e.Error != nil) {
		return e, nil
	}
	return ops.Event{To: parley.User(v.user), Data: text}, nil
}

// place gives plain consumers' messages the places that their senders were told.
// There are no restores, after which a message may have two.
func (r *run) place(senders []*sender, receivers []*receiver) {
	places := map[history.ID]parley.Cursor{}
	for _, s := range senders {
		for i := range s.sends {
			if send := &s.sends[i]; len(send.Accepted) > 0 {
				places[send.ID] = send.Accepted[0].Cursor
			}
		}
	}
	for _, v := range receivers {
		if !v.plain {
			continue
		}
		for i := range v.members[0].Events {
			if e := &v.members[0].Events[i]; e.Join == nil {
				e.Cursor = places[e.ID]
			}
		}
	}
}

// repeats counts for all devices, and logs it for each kind of consumer.
func (r *run) repeats(receivers []*receiver) (total Repeats) {
	by := map[string]Repeats{}
	for _, v := range receivers {
		if !v.forgets {
			continue
		}
		again, all := v.members[0].Repeats()
		of := by[v.path]
		by[v.path] = Repeats{of.Again + again, of.All + all}
		total = Repeats{total.Again + again, total.All + all}
	}
	for path, of := range by {
		r.cfg.Log("%s: %v", path, of)
	}
	return total
}
