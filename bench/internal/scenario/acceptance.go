package scenario

import (
	"bytes"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/stats"
)

// acceptance is senders whose messages to users are kept, each with a number of messages in flight: one that is accepted releases the next.
// Message n of sender i is for user i + n, modulo their number. A user gets each sender's messages in order and once: those that are
// connected at once, the others when they connect. The loop's connections are the former, the senders, and the latter, in that order.
type acceptance struct {
	guard
	tally   // its deliveries are what was accepted
	window  int
	senders []asking
	free    []int // the senders that may send, once for each message
	sent    int
	waits   *stats.Quantiles // in microseconds, of the last stretch

	users     []recipient
	connected int // users
	owed      int // messages that these have not got
}

// asking is a sender who is told what was accepted.
type asking struct {
	conn     *load.Conn
	sent     int
	accepted int
	sentAt   []time.Duration // by number modulo the window
}

// recipient is a user.
type recipient struct {
	message numbered
	accept  []byte // how the acceptance of a message to it begins
	owed    int
	next    []int // by sender: the number of the message that should come next
}

func newAcceptance(loop *load.Loop, senders []*load.Conn, window, users, connected int) *acceptance {
	a := &acceptance{guard: guard{loop: loop, last: loop.Now()}, window: window, connected: connected, waits: new(stats.Quantiles)}
	for i, c := range senders {
		a.senders = append(a.senders, asking{conn: c, sentAt: make([]time.Duration, window)})
		for range window {
			a.free = append(a.free, i)
		}
	}
	for u := range users {
		r := recipient{message: userMessage(userName(u), peersBytes), accept: fmt.Appendf(nil, `{"ack":{"to_user":%q,`, userName(u))}
		for i := range senders {
			r.next = append(r.next, (u-i%users+users)%users)
		}
		a.users = append(a.users, r)
	}
	loop.Handle(a)
	loop.Spin = true
	return a
}

// Message takes what a sender is told, or a user is sent.
func (a *acceptance) Message(c *load.Conn, text []byte) {
	a.last = a.loop.ReadAt
	switch i := c.Index - a.connected; {
	case i < 0:
		a.deliver(c.Index, text)
	case i < len(a.senders):
		a.accept(&a.senders[i], i, text)
	default:
		a.deliver(c.Index-len(a.senders), text)
	}
}

// accept counts a message that was accepted. They are in the order in which they were sent.
func (a *acceptance) accept(s *asking, i int, text []byte) {
	to := &a.users[(i+s.accepted)%len(a.users)]
	if s.accepted == s.sent || !bytes.HasPrefix(text, to.accept) {
		a.fail(fmt.Errorf("sender %d was told %.200q", i, text))
		return
	}
	a.waits.Add(uint32((a.loop.ReadAt - s.sentAt[s.accepted%a.window]).Microseconds()))
	s.accepted++
	a.done++
	a.arrived++
	a.free = append(a.free, i)
}

// missedText begins what a user is told who was sent more than is kept.
var missedText = []byte(`{"missed":`)

// deliver checks what a user is sent. What they miss shows in the next message.
func (a *acceptance) deliver(u int, text []byte) {
	if bytes.HasPrefix(text, missedText) {
		return
	}
	n, ok := number(text)
	from, n := n/perPublisher, n%perPublisher
	if !ok || from >= len(a.senders) || n >= a.senders[from].sent {
		a.fail(fmt.Errorf("unexpected message %.100q", text))
		return
	}
	to := &a.users[u]
	if n < to.next[from] {
		a.repeated++
		return
	}
	skipped := (n - to.next[from]) / len(a.users)
	a.lost += skipped
	to.next[from] = n + len(a.users)
	to.owed -= skipped + 1
	a.owed -= skipped + 1
}

// sendUntil sends until stop says so.
func (a *acceptance) sendUntil(stop func() bool) error {
	a.waits = new(stats.Quantiles)
	return a.run(func() bool {
		for _, i := range a.free {
			a.send(i)
		}
		a.free = a.free[:0]
		return stop()
	})
}

func (a *acceptance) send(i int) {
	s := &a.senders[i]
	u := (i + s.sent) % len(a.users)
	to := &a.users[u]
	s.sentAt[s.sent%a.window] = a.loop.Now()
	s.conn.Send(to.message.with(i*perPublisher + s.sent))
	s.sent++
	a.sent++
	to.owed++
	if u < a.connected {
		a.owed++
	}
}

func (a *acceptance) drain() error {
	return a.run(func() bool { return a.done == a.sent && a.owed == 0 })
}

func (a *acceptance) run(stop func() bool) error {
	a.last = a.loop.Now()
	for !stop() {
		if err := a.step(a.missing); err != nil {
			return err
		}
	}
	return nil
}

func (a *acceptance) missing() string {
	return fmt.Sprintf("%d of %d messages not accepted, %d not delivered", a.sent-a.done, a.sent, a.owed)
}

// connectOthers connects the other users, and waits until they have what is theirs.
func (a *acceptance) connectOthers(b *bench) error {
	for _, u := range a.users[a.connected:] {
		a.owed += u.owed
	}
	name := func(i int) string { return userName(a.connected + i) }
	if _, err := b.loop.Dial(b.to, len(a.users)-a.connected, name, dialLimit); err != nil {
		return err
	}
	return a.drain()
}
