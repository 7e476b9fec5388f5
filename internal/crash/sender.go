package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/crash/history"
	"github.com/parley-rt/parley/internal/crash/ops"
)

const (
	window      = 8                      // messages of one sender that are under way
	longestRest = 500 * time.Millisecond // between bursts of a sender
)

// sender sends, and sends again what it was not told of, until it is.
type sender struct {
	*run
	number uint32
	rng    *rand.Rand
	script []parley.Address // what is left to send to; nil: anything, until the run says stop
	burst  int              // what is left until it rests
	sends  []history.Send   // by call
	due    []int            // those that it was not told of, in the order in which they were sent
}

func (r *run) newSenders() []*sender {
	var all []*sender
	for i := range uint32(r.cfg.Senders) {
		all = append(all, &sender{run: r, number: i, rng: r.random(uint64(i))})
	}
	return all
}

// newCloser returns the sender of the last messages, twice one to each address: a
// receiver has all when it has the second.
func (r *run) newCloser() *sender {
	i := uint32(r.cfg.Senders)
	all := r.world.addresses()
	return &sender{run: r, number: i, rng: r.random(uint64(i)), script: slices.Concat(all, all)}
}

// isEnd reports whether a message is the last one to its address.
func (r *run) isEnd(id history.ID) bool {
	return id.Sender() == uint32(r.cfg.Senders) && int(id.Call()) > len(r.world.addresses())
}

// send returns once all is settled.
func (s *sender) send(ctx context.Context) {
	for ctx.Err() == nil {
		c, err := dial(ctx, s.node.addr())
		if err != nil {
			rest(ctx, 10*time.Millisecond, nil)
			continue
		}
		s.connections.Add(1)
		err = s.session(ctx, c)
		c.close()
		if err == nil {
			return
		}
		if errors.Is(err, errSilent) || errors.Is(err, errNonsense) {
			s.failf("sender %d: %w", s.number, err)
		}
	}
}

var (
	errNonsense = errors.New("an answer that makes no sense")
	errCut      = errors.New("cut on purpose")
)

// session sends on one connection, first what is due. nil says that all is done.
func (s *sender) session(ctx context.Context, c *client) error {
	if err := s.hello(c); err != nil {
		return err
	}
	if err := s.write(c, s.due); err != nil {
		return err
	}
	s.retries.Add(int64(len(s.due)))
	for {
		if err := s.fill(ctx, c); err != nil {
			return err
		}
		if len(s.due) == 0 {
			if s.exhausted() {
				return nil
			}
			continue
		}
		e, err := c.receive()
		if err == nil {
			err = s.settle(ctx, c, e)
		}
		if err != nil {
			return err
		}
	}
}

// hello has keys be the sender's, whatever its connection.
func (s *sender) hello(c *client) error {
	if err := c.send(ops.Request{Op: ops.Hello, User: fmt.Sprintf("s%d", s.number)}); err != nil {
		return err
	}
	e, err := c.receive()
	if err == nil && e.Joined == nil {
		err = fmt.Errorf("%w: %+v to a hello", errNonsense, e)
	}
	return err
}

// write sends some of the messages.
func (s *sender) write(c *client, which []int) error {
	var requests []ops.Request
	for _, i := range which {
		id := s.sends[i].ID
		requests = append(requests, ops.Request{Op: ops.Send, ID: uint64(id), To: s.sends[i].To, Key: strconv.FormatUint(uint64(id), 10), Data: s.world.payload(id)})
	}
	return c.send(requests...)
}

// fill sends what the window has room for, after a rest if a burst is over.
func (s *sender) fill(ctx context.Context, c *client) error {
	if len(s.due) == 0 && s.script == nil {
		rest(ctx, upTo(s.rng, longestRest), s.stopping)
		s.burst = 1 + s.rng.IntN(2*window)
	}
	var next []int
	for len(s.due) < window {
		i, ok := s.next()
		if !ok {
			break
		}
		s.due = append(s.due, i)
		next = append(next, i)
	}
	if err := s.write(c, next); err != nil {
		return err
	}
	if len(next) > 0 && s.script == nil && s.rng.IntN(100) == 0 {
		return errCut
	}
	return nil
}

// next returns which message is to be sent next, a new one but for a few that go
// again though they were accepted.
func (s *sender) next() (int, bool) {
	switch {
	case s.script == nil && s.burst == 0, s.exhausted():
		return 0, false
	case s.script != nil:
		to := s.script[0]
		s.script = s.script[1:]
		return s.compose(to), true
	}
	s.burst--
	if n := len(s.sends); n > 0 && s.rng.IntN(30) == 0 {
		if i := s.rng.IntN(n); !slices.Contains(s.due, i) {
			return i, true
		}
	}
	return s.compose(s.world.address(s.rng)), true
}

func (s *sender) compose(to parley.Address) int {
	s.sends = append(s.sends, history.Send{ID: history.NewID(s.number, uint32(len(s.sends)+1)), To: to})
	return len(s.sends) - 1
}

// exhausted reports whether nothing more is to be sent.
func (s *sender) exhausted() bool {
	if s.script != nil {
		return len(s.script) == 0
	}
	return isClosed(s.stopping)
}

// settle notes an answer.
func (s *sender) settle(ctx context.Context, c *client, e ops.Event) error {
	at := slices.IndexFunc(s.due, func(i int) bool { return uint64(s.sends[i].ID) == e.ID })
	if at < 0 {
		return fmt.Errorf("%w: %+v", errNonsense, e)
	}
	i := s.due[at]
	s.due = slices.Delete(s.due, at, at+1)
	send := &s.sends[i]
	switch {
	case e.OK != nil:
		send.Accepted = append(send.Accepted, history.Acceptance{Cursor: e.OK.Cursor, At: s.at()})
		s.accepted.Add(1)
		select {
		case s.progress <- struct{}{}:
		default:
		}
	case e.Error != nil && e.Error.Code == parley.Unavailable:
		send.Failed = true
		s.due = append(s.due, i)
		rest(ctx, upTo(s.rng, longestRest), nil)
		return s.write(c, []int{i})
	case e.Error != nil:
		send.Refused = e.Error.Error()
	}
	return nil
}
