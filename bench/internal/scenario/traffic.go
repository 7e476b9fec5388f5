package scenario

import (
	"errors"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/stats"
)

// traffic sends messages between users at a fixed rate, whatever the server makes of it, and takes each message's latency
// from the moment it was due: a message that could not be sent in time because earlier ones held it up counts its waiting too.
type traffic struct {
	loop  *load.Loop
	users []*load.Conn
	to    []numbered // by user: the message for that user
	rate  int
	total int
	warm  time.Duration // latencies of messages due before it don't count

	stop      func() bool // ends it early; nil for never
	start     time.Duration
	sent      int
	seen      []bool // by number
	unique    int
	repeated  int
	latencies *stats.Quantiles // in microseconds
	failure   error
}

// newTraffic is for users numbered from first.
func newTraffic(loop *load.Loop, users []*load.Conn, first, rate int, warm, measure time.Duration) *traffic {
	t := &traffic{loop: loop, users: users, rate: rate, warm: warm}
	t.total = int((warm + measure).Seconds() * float64(rate))
	t.seen = make([]bool, t.total)
	t.latencies = stats.NewQuantiles(t.total)
	for i := range users {
		t.to = append(t.to, userMessage(userName(first+i), peersBytes))
	}
	loop.Handle(t)
	loop.Spin = true
	return t
}

// due is when message n is to be sent, since the start.
func (t *traffic) due(n int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(t.rate)
}

// Message takes the latency of a message that arrived.
func (t *traffic) Message(_ *load.Conn, text []byte) {
	n, ok := number(text)
	switch {
	case !ok || n >= t.sent:
		t.fail(fmt.Errorf("unexpected message %.200q", text))
		return
	case t.seen[n]:
		t.repeated++
		return
	}
	t.seen[n] = true
	t.unique++
	if due := t.due(n); due >= t.warm {
		t.latencies.Add(uint32((t.loop.ReadAt - t.start - due).Microseconds()))
	}
}

// Closed fails the measurement: all users were to stay.
func (t *traffic) Closed(_ *load.Conn, cause error) {
	t.fail(fmt.Errorf("the server closed a connection: %w", cause))
}

func (t *traffic) fail(cause error) {
	if t.failure == nil {
		t.failure = cause
	}
}

// runCalmly is run and await for traffic beside that of another process on the same core, which polling would hold up.
func (t *traffic) runCalmly() error {
	t.loop.Spin = false
	return errors.Join(t.run(), t.await(time.Second, stallLimit))
}

// run sends all messages, each when it is due.
func (t *traffic) run() error {
	t.start = t.loop.Now()
	for t.sent < t.total && t.failure == nil && !(t.stop != nil && t.stop()) {
		now := t.loop.Now() - t.start
		for t.sent < t.total && t.due(t.sent) <= now {
			t.send(t.sent)
		}
		if err := t.loop.Step(t.due(t.sent) - now); err != nil {
			return err
		}
	}
	return t.failure
}

func (t *traffic) send(n int) {
	from, to := pair(n, len(t.users))
	t.sent++
	t.users[from].Send(t.to[to].with(n))
}

// pair picks sender and receiver of message n among a number of users: each sends in turn, and to another one each time.
func pair(n, users int) (from, to int) {
	from = n % users
	return from, (from + 1 + n/users*7%(users-1)) % users
}

// await waits for what has not arrived yet, as long as something does and limit has not passed.
func (t *traffic) await(quiet, limit time.Duration) error {
	for end := t.loop.Now() + limit; t.unique < t.sent && t.loop.Now() < end; {
		before := t.unique
		more := func() bool { return t.unique > before || t.failure != nil }
		arrived, err := t.loop.RunUntil(more, quiet)
		if err != nil {
			return err
		}
		if t.failure != nil || !arrived {
			return t.failure
		}
	}
	return nil
}
