package crash

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/crash/history"
)

// world is who there is.
type world struct {
	storm  bool
	users  []string
	groups []parley.Address
}

// groups is how many groups there are.
const groups = 16

func newWorld(cfg *Config) *world {
	w := &world{storm: cfg.Storm}
	users := cfg.Receivers * 3 / 4 // the rest of the receivers are second devices
	if cfg.Storm {
		users = cfg.Receivers / 2
	}
	for i := range users {
		w.users = append(w.users, fmt.Sprintf("u%d", i))
	}
	for i := range groups {
		w.groups = append(w.groups, parley.Group(fmt.Sprintf("g%d", i)))
	}
	return w
}

// address picks an address to send to, the first group more often than others.
func (w *world) address(rng *rand.Rand) parley.Address {
	switch rng.IntN(6) {
	case 0:
		return w.groups[0]
	case 1:
		return w.groups[rng.IntN(len(w.groups))]
	}
	return parley.User(w.users[rng.IntN(len(w.users))])
}

// addresses returns all of them.
func (w *world) addresses() []parley.Address {
	all := w.groups[:len(w.groups):len(w.groups)]
	for _, user := range w.users {
		all = append(all, parley.User(user))
	}
	return all
}

// largest bounds a large message, in bytes.
const largest = 300 << 10

// payload returns what a message holds: its ID, and as much besides as the ID
// says, now and then a lot.
func (w *world) payload(id history.ID) []byte {
	hash := uint64(id) * 0x9E3779B97F4A7C15
	size := int(hash >> 56)
	switch {
	case size < 6 && w.storm:
		size = int(hash >> 32 & (1<<24 - 1) % largest)
	case size < 3:
		size = 5000
	}
	return fmt.Appendf(nil, `{"id":%d,"pad":"%s"}`, uint64(id), strings.Repeat("x", size))
}

// identify returns the ID of what came, zero where it differs from what was sent.
func (w *world) identify(data []byte) history.ID {
	var body struct{ ID history.ID }
	if json.Unmarshal(data, &body) != nil || string(data) != string(w.payload(body.ID)) {
		return 0
	}
	return body.ID
}
