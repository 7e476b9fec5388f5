package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
)

// flood is senders that offer messages to users at a fixed rate in all, whatever the server makes of it. Each sender has a bounded number
// of messages in flight, is told what became of each, and holds back the rest. Message n of sender i is for user i + n, modulo their
// number. A user that the server closes connects again.
type flood struct {
	loop    *load.Loop
	reopen  func(users []int) ([]*load.Conn, error) // connects users again, in that order; nil where none is connected
	window  int
	senders []flooder
	users   []flooded
	owner   map[int]int // by a connection's Index: the number of its user, or -1 and below for a sender
	gone    []int       // users whose connection ended
	failure error

	sent, accepted, unsettled int
	delivered, owed           int // messages, each once; those that were accepted and have not come
	repeated, disordered      int
	told                      int            // texts to users that are no message
	toldFirst                 string         // the first of them
	unknown                   int            // delivered although the sender was told of an error
	refused                   map[string]int // by code
	closed                    map[string]int // connections of users, by how they ended
	moved                     time.Duration  // when an answer or a new message came last
}

// flooder is a sender.
type flooder struct {
	conn    *load.Conn
	fates   []byte // by number
	settled int    // all numbers below are
	flying  int
}

// What is known of a message.
const (
	fateSettled = 1 << iota
	fateAccepted
	fateDelivered
)

// flooded is a user.
type flooded struct {
	conn    *load.Conn
	message numbered
	owed    int
	last    []int // by sender: the highest number that came, plus 1
}

// newFlood has the senders send to a number of users, the first of whom are connected.
func newFlood(loop *load.Loop, senders, connected []*load.Conn, users, window int) *flood {
	f := &flood{loop: loop, window: window, owner: make(map[int]int), refused: make(map[string]int), closed: make(map[string]int)}
	for i, c := range senders {
		f.owner[c.Index] = -1 - i
		f.senders = append(f.senders, flooder{conn: c})
	}
	for u := range users {
		f.users = append(f.users, flooded{message: userMessage(userName(u), peersBytes), last: make([]int, len(senders))})
	}
	for u, c := range connected {
		f.owns(u, c)
	}
	loop.Handle(f)
	return f
}

func (f *flood) owns(u int, c *load.Conn) {
	f.users[u].conn = c
	f.owner[c.Index] = u
}

// Message takes what a sender is told, or a user is sent.
func (f *flood) Message(c *load.Conn, text []byte) {
	owner, known := f.owner[c.Index]
	switch {
	case !known:
		f.fail(fmt.Errorf("connection %d is nobody's", c.Index))
	case owner < 0:
		f.answer(&f.senders[-1-owner], -1-owner, text)
	default:
		f.deliver(owner, text)
	}
}

// Closed has a user connect again. A sender has no reason to be closed.
func (f *flood) Closed(c *load.Conn, cause error) {
	owner := f.owner[c.Index]
	if owner < 0 {
		f.fail(fmt.Errorf("the server closed a sender: %w", cause))
		return
	}
	ending := (&fate{cause: cause}).ending()
	f.closed[ending]++
	f.gone = append(f.gone, owner)
}

func (f *flood) fail(cause error) {
	if f.failure == nil {
		f.failure = cause
	}
}

var (
	ackMark  = []byte(`{"ack":`)
	codeMark = []byte(`{"error":{"code":"`)
	userMark = []byte(`"to_user":"u`)
)

// answer settles a message. They need not be in the order in which they were sent.
func (f *flood) answer(s *flooder, i int, text []byte) {
	n, ok := s.find(i, len(f.users), text)
	code, refused := bytes.CutPrefix(text, codeMark)
	if !ok || !refused && !bytes.HasPrefix(text, ackMark) {
		f.fail(fmt.Errorf("sender %d was told %.200q", i, text))
		return
	}
	f.moved = f.loop.ReadAt
	s.settle(n)
	f.unsettled--
	arrived := s.fates[n]&fateDelivered != 0
	if refused {
		code, _, _ = bytes.Cut(code, []byte{'"'})
		f.refused[string(code)]++
		if arrived {
			f.unknown++
		}
		return
	}
	s.fates[n] |= fateAccepted
	f.accepted++
	if !arrived {
		f.owed++
		f.users[(i+n)%len(f.users)].owed++
	}
}

// find returns which message an answer is about: the first one in flight to the user it names.
func (s *flooder) find(i, users int, text []byte) (n int, ok bool) {
	at := bytes.Index(text, userMark)
	if at < 0 {
		return 0, false
	}
	to := 0
	for _, c := range text[at+len(userMark):] {
		if c < '0' || c > '9' {
			break
		}
		to = to*10 + int(c-'0')
	}
	if to >= users {
		return 0, false
	}
	for n = s.settled + ((to-i-s.settled)%users+users)%users; n < len(s.fates); n += users {
		if s.fates[n]&fateSettled == 0 {
			return n, true
		}
	}
	return 0, false
}

func (s *flooder) settle(n int) {
	s.fates[n] |= fateSettled
	s.flying--
	for s.settled < len(s.fates) && s.fates[s.settled]&fateSettled != 0 {
		s.settled++
	}
}

// deliver checks what a user is sent.
func (f *flood) deliver(u int, text []byte) {
	n, ok := number(text)
	if !ok {
		if f.told++; f.told == 1 {
			f.toldFirst = string(text)
		}
		return
	}
	if n < perPublisher {
		return // what the user sent to itself when it connected, once more
	}
	from, n := n/perPublisher-1, n%perPublisher
	if from >= len(f.senders) || n >= len(f.senders[from].fates) || (from+n)%len(f.users) != u {
		f.fail(fmt.Errorf("user %d got %.200q", u, text))
		return
	}
	of, to := &f.senders[from].fates[n], &f.users[u]
	if *of&fateDelivered != 0 {
		f.repeated++
		return
	}
	f.moved = f.loop.ReadAt
	*of |= fateDelivered
	f.delivered++
	switch {
	case *of&fateAccepted != 0:
		f.owed--
		to.owed--
	case *of&fateSettled != 0:
		f.unknown++
	}
	if n < to.last[from] {
		f.disordered++
	}
	to.last[from] = max(to.last[from], n+1)
}

// offer has the senders send what is due in all, as far as they may.
func (f *flood) offer(due int) {
	share := due / len(f.senders)
	for i := range f.senders {
		s := &f.senders[i]
		for len(s.fates) < share && s.flying < f.window {
			f.send(s, i)
		}
	}
}

func (f *flood) send(s *flooder, i int) {
	n := len(s.fates)
	s.fates = append(s.fates, 0)
	s.flying++
	f.sent++
	f.unsettled++
	s.conn.Send(f.users[(i+n)%len(f.users)].message.with((i+1)*perPublisher + n))
}

// floodTick is how often the loop looks at its connections, so that one read or write is of many messages.
const floodTick = 2 * time.Millisecond

// run offers messages for a time, and returns how many.
func (f *flood) run(rate int, lasting time.Duration, look func() error) (offered int, err error) {
	start := f.loop.Now()
	for passed := time.Duration(0); passed < lasting; passed = f.loop.Now() - start {
		offered = int(passed.Seconds() * float64(rate))
		f.offer(offered)
		if err := f.tick(look); err != nil {
			return offered, err
		}
	}
	return offered, nil
}

// settle waits for all answers, and for all that was accepted, as long as something comes and until the limit. Users who lack something then
// connect once more.
func (f *flood) settle(quiet, limit time.Duration, look func() error) error {
	end := f.loop.Now() + limit
	for again := false; ; again = true {
		if err := f.await(quiet, end, look); err != nil {
			return err
		}
		if f.reopen == nil || f.owed == 0 || again {
			return nil
		}
		f.cut()
	}
}

// await returns once nothing is outstanding, or comes any more.
func (f *flood) await(quiet, end time.Duration, look func() error) error {
	for f.moved = f.loop.Now(); f.unsettled > 0 || f.owed > 0 && f.reopen != nil; {
		if now := f.loop.Now(); now-f.moved > quiet || now > end {
			return nil
		}
		if err := f.tick(look); err != nil {
			return err
		}
	}
	return nil
}

// cut ends the connections of the users who lack something.
func (f *flood) cut() {
	for u := range f.users {
		if to := &f.users[u]; to.owed > 0 && to.conn.Open() {
			to.conn.Close()
			f.gone = append(f.gone, u)
		}
	}
}

// tick handles what came.
func (f *flood) tick(look func() error) error {
	time.Sleep(floodTick)
	if err := errors.Join(f.loop.Step(0), look()); err != nil {
		return err
	}
	return errors.Join(f.restore(), f.failure)
}

// restore connects the users again whose connection ended.
func (f *flood) restore() error {
	if len(f.gone) == 0 {
		return nil
	}
	gone := f.gone
	f.gone = nil
	first := f.loop.Dialled()
	for i, u := range gone { // messages may come before the last of them is connected
		f.owner[first+i] = u
	}
	conns, err := f.reopen(gone)
	for i, c := range conns {
		f.owns(gone[i], c)
	}
	return err
}
