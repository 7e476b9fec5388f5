package scenario

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
)

// dialLimit bounds the opening of all connections of a case.
const dialLimit = 90 * time.Second

func userName(i int) string { return fmt.Sprintf("u%d", i) }

// A server may answer the upgrade before it has a connection in its books, so each connection gets a message before anything is measured.
const (
	probe      = "are you there?"
	probeAgain = time.Second // after so long without an answer; twice as long the next time
	helloSize  = 128
	helloBatch = 100 // few enough that no server's memory feels it
)

// dial opens n connections on the endpoint for everyone, and returns when a message from the first of all reached them.
func (b *bench) dial(n int) ([]*load.Conn, error) {
	conns, err := b.loop.Dial(b.to, n, func(int) string { return "" }, dialLimit)
	if err != nil {
		return nil, err
	}
	return conns, b.probe(conns[0], conns)
}

// probe sends from one connection until all receivers have had something. A message that is still on its way is given time,
// for a slow server would only be held up by more of them.
func (b *bench) probe(from *load.Conn, receivers []*load.Conn) error {
	roll := newRollCall(receivers)
	b.loop.Handle(roll)
	for quiet := probeAgain; quiet < dialLimit; quiet *= 2 {
		from.Send([]byte(probe))
		for came := true; came; {
			missing := len(roll.absent)
			var err error
			came, err = b.loop.RunUntil(func() bool { return len(roll.absent) < missing || roll.cause != nil }, quiet)
			if err != nil || roll.complete() {
				return errors.Join(err, roll.cause)
			}
		}
	}
	return fmt.Errorf("%d of %d connections got no message", len(roll.absent), len(receivers))
}

// dialUsers opens n connections, each as a user of its own, numbered from first; each sends a message to itself and gets it.
func (b *bench) dialUsers(first, n int) ([]*load.Conn, error) {
	conns, err := b.loop.Dial(b.to, n, func(i int) string { return userName(first + i) }, dialLimit)
	if err != nil {
		return nil, err
	}
	for batch := range slices.Chunk(conns, helloBatch) {
		if err := b.greet(batch, first); err != nil {
			return nil, err
		}
		first += len(batch)
	}
	return conns, nil
}

// dialUsersAgain opens connections as users of the given numbers, and waits for no message to them.
func (b *bench) dialUsersAgain(users []int) ([]*load.Conn, error) {
	return b.loop.Dial(b.to, len(users), func(i int) string { return userName(users[i]) }, dialLimit)
}

// greet lets users, numbered from first, send a message to themselves, and waits for all of these.
func (b *bench) greet(users []*load.Conn, first int) error {
	roll := newRollCall(users)
	b.loop.Handle(roll)
	for i, c := range users {
		c.Send(userMessage(userName(first+i), helloSize).text)
	}
	complete, err := b.loop.RunUntil(roll.complete, stallLimit)
	if err != nil || roll.cause != nil {
		return errors.Join(err, roll.cause)
	}
	if !complete {
		return fmt.Errorf("%d of %d users got no message from themselves", len(roll.absent), len(users))
	}
	return nil
}

// ping lets each connection ping the server, and waits for all the answers.
func (b *bench) ping(conns []*load.Conn) error {
	for batch := range slices.Chunk(conns, helloBatch) {
		for _, c := range batch {
			c.Ping()
		}
		unanswered := func(c *load.Conn) bool { return c.Pongs == 0 }
		all, err := b.loop.RunUntil(func() bool { return !slices.ContainsFunc(batch, unanswered) }, stallLimit)
		if err != nil {
			return err
		}
		if !all {
			return errors.New("a connection got no answer to its ping")
		}
	}
	return nil
}

// rollCall waits for a message on each connection.
type rollCall struct {
	absent map[*load.Conn]bool
	cause  error
}

func newRollCall(conns []*load.Conn) *rollCall {
	roll := &rollCall{absent: make(map[*load.Conn]bool, len(conns))}
	for _, c := range conns {
		roll.absent[c] = true
	}
	return roll
}

func (r *rollCall) complete() bool { return len(r.absent) == 0 || r.cause != nil }

func (r *rollCall) Message(c *load.Conn, _ []byte) { delete(r.absent, c) }

func (r *rollCall) Closed(_ *load.Conn, cause error) {
	r.cause = fmt.Errorf("the server closed a connection: %w", cause)
}
