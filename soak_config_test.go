package parley_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/parley-rt/parley"
)

// soakConfig is a configuration that follows from a seed.
type soakConfig struct {
	on       kind
	consumer string // one of soakConsumers
	drop     bool   // DropSlow
	hubs     int    // on one layer
	loops    int

	queue, deliver, mailbox, memberships, inFlight, receive int // Limits
	ping                                                    time.Duration
	write                                                   time.Duration

	users, devices int // devices of each user; the only one may have no name
	named          bool
	senders        int           // goroutines, and as many clients
	messages       int           // of each
	pace           time.Duration // the longest rest of a sender
	sleepers       int           // clients that never read
	large          int           // bytes of the largest messages
	narrow         bool
	stall          time.Duration // the longest rest of a client
	busy           bool          // consumers rest at times, too
}

var soakConsumers = []string{"plain", "encoder", "deliverer", "both"}

func newSoakConfig(seed uint64) soakConfig {
	rng := soakRandom(seed, 0)
	return soakConfig{
		on:       kinds[rng.IntN(len(kinds))],
		consumer: soakConsumers[rng.IntN(len(soakConsumers))],
		drop:     rng.IntN(2) == 0,
		hubs:     1 + rng.IntN(2),
		loops:    1 + rng.IntN(3),

		queue: upToPower(rng, 16), deliver: upToPower(rng, 6), mailbox: upToPower(rng, 16),
		memberships: 4 + rng.IntN(4), inFlight: upToPower(rng, 4), receive: upToPower(rng, 4),
		ping:  []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second, 10 * time.Second}[rng.IntN(4)],
		write: []time.Duration{time.Second, 10 * time.Second}[rng.IntN(2)],

		users: 1 + rng.IntN(3), devices: 1 + rng.IntN(2), named: rng.IntN(2) == 0,
		senders: 1 + rng.IntN(3), messages: 10 + rng.IntN(100), pace: time.Duration(rng.IntN(40)) * time.Millisecond, sleepers: rng.IntN(3), large: upToPower(rng, 16),
		narrow: rng.IntN(3) > 0, stall: time.Duration(rng.IntN(60)) * time.Millisecond, busy: rng.IntN(3) == 0,
	}
}

// soakRandom returns a source of chance for one of a run's goroutines.
func soakRandom(seed, of uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, of)) }

// upToPower returns a number of at most 2 to some power, each power as likely as
// another.
func upToPower(rng *rand.Rand, most int) int {
	n := 1 << rng.IntN(most+1)
	return n - rng.IntN((n+1)/2)
}

// options are of a hub that keeps all that is sent to users and to a group.
func (cfg *soakConfig) options(layer parley.Layer) *parley.Options {
	keep := []parley.KeepRule{{Pattern: "user:*"}, {Pattern: "group:kept"}}
	for i := range keep {
		keep[i].Messages, keep[i].Bytes = 1<<20, 1<<30
	}
	opts := &parley.Options{Layer: layer, Keep: keep, Loops: cfg.loops, Limits: parley.Limits{
		SendQueueBytes: cfg.queue, DeliverQueue: cfg.deliver, MailboxBytes: cfg.mailbox, Memberships: cfg.memberships,
		SendsInFlight: cfg.inFlight, ReceiveQueue: cfg.receive, PingInterval: cfg.ping, WriteTimeout: cfg.write, CloseTimeout: time.Second,
	}}
	if cfg.drop {
		opts.SlowReader = parley.DropSlow
	}
	return opts
}

// device returns the name of a user's device.
func (cfg *soakConfig) device(i int) string {
	if cfg.devices == 1 && !cfg.named {
		return ""
	}
	return fmt.Sprintf("device %d", i)
}
