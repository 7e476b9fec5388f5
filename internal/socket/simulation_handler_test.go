package socket

import "slices"

// simHandler is what becomes of the values that a connection is handed.
type simHandler struct {
	queue   []any
	starved bool
	greets  bool // it writes something that is not kept for each value
	greeted bool
	replies int // it writes so many frames for each kept value
	larger  int // and so many times larger ones
	made    int // of them, for the first value of queue

	told    chan error // of WriteKept that waits
	cleared bool       // it was told that there is room
	over    bool       // it was told that there will be none

	wroteKept int // frames that it wrote for kept values
	gotKept   int // the last one of them that the peer got
}

// simPlainValue is the size of a value that is not kept.
type simPlainValue int

func (s *simulation) newHandler() simHandler {
	return simHandler{greets: !s.keeps && s.n(2) == 0, replies: s.n(4), larger: []int{1, 1, 3, 10}[s.n(4)]}
}

// simValues is how many values a handler takes.
const simValues = 5

// Deliver is Handler's.
func (c *simConn) Deliver(value any) bool {
	c.sim.meanwhile()
	if len(c.queue) >= simValues {
		c.starved = true
		c.sim.tell("%v: no room for a value", c)
		return false
	}
	c.queue = append(c.queue, value)
	if e, ok := value.(*simEntry); ok {
		c.member(e).gets(e.index)
	}
	return true
}

func (c *simConn) member(of *simEntry) *simFollower {
	return c.members[slices.IndexFunc(c.members, func(f *simFollower) bool { return f.log == of.log })]
}

func (s *simulation) handle() bool {
	c := s.conn()
	return c != nil && s.handleNext(c)
}

// handleNext has a handler do something for a value, be done with it, or say that it
// has room.
func (s *simulation) handleNext(c *simConn) bool {
	if len(c.queue) == 0 || c.starved && len(c.queue) < simValues && s.n(4) == 0 {
		if !c.starved || !s.put(0, "room", c.Room) {
			return false
		}
		c.starved = false
		return true
	}
	if c.greets && !c.greeted {
		c.greeted = s.writeTo(c)
		return c.greeted
	}
	e, kept := c.queue[0].(*simEntry)
	switch {
	case kept && c.made < c.replies && !c.over:
		return s.reply(c, e)
	case kept:
		return s.handled(c, e)
	default:
		return s.done(c, int(c.queue[0].(simPlainValue)))
	}
}

// reply is WriteKept, which waits for room where it has to.
func (s *simulation) reply(c *simConn, e *simEntry) bool {
	frame := simFrame(simReply, c.wroteKept+1, c.larger*len(e.frame))
	switch {
	case c.told != nil:
		select {
		case err := <-c.told:
			s.tell("%v: it is told %v", c, err)
			c.told, c.cleared, c.over = nil, err == nil, err != nil
			return true
		default:
			return false
		}
	case !c.cleared && !s.loop.fits(c.queued()+c.outside.size(), len(frame)):
		told := make(chan error, 1)
		if !s.put(0, "await room", func() error {
			return s.loop.put(background, post{kind: postAwaitRoom, conn: &c.Conn, value: told})
		}) {
			return false
		}
		c.told = told
		return true
	}
	if !s.put(len(frame), "reply", func() error {
		return c.post(background, post{kind: postWriteKept, conn: &c.Conn, data: frame, more: s.n(4) == 0})
	}) {
		return false
	}
	c.wroteKept++
	c.made++
	c.cleared = false
	return true
}

// handled has a handler be done with a kept value.
func (s *simulation) handled(c *simConn, e *simEntry) bool {
	f := c.member(e)
	if f.handled != e.at && !c.closing && !c.over {
		if !s.put(0, "handled", func() error { return f.Handled(e.at) }) {
			return false
		}
		f.handled, f.replied = e.at, c.wroteKept
		return true
	}
	return s.done(c, len(e.frame))
}

func (s *simulation) done(c *simConn, size int) bool {
	if !s.put(0, "done", func() error { c.Done(size); return nil }) {
		return false
	}
	c.queue, c.greeted, c.made = c.queue[1:], false, 0
	return true
}

// getsReply is the peer's taking what was written for a kept value.
func (c *simConn) getsReply(number int) {
	if number != c.gotKept+1 {
		c.sim.fail("%v gets reply %d after %d", c, number, c.gotKept)
	}
	c.gotKept = number
}

// checkHandled holds what is acknowledged to what a handler is done with.
func (c *simConn) checkHandled(f *simFollower, at Position) {
	for i := f.log.behind(f.handled); i < f.log.behind(at); i++ {
		if !f.excused(i) {
			c.sim.fail("%v: %v is acknowledged, and only %v was handled", f, at, f.handled)
		}
	}
	if at == f.handled && c.gotKept < f.replied {
		c.sim.fail("%v: %v is acknowledged, and reply %d did not come", f, at, f.replied)
	}
}

// checkWaits holds what waits for a connection to its bound.
func (s *simulation) checkWaits(c *simConn) {
	handed := 0
	for _, v := range c.queue {
		if e, kept := v.(*simEntry); kept {
			handed += len(e.frame) + entryCost
		} else {
			handed += int(v.(simPlainValue)) + entryCost
		}
	}
	posted := 0
	for _, p := range s.loop.posts {
		if p.conn == &c.Conn && (p.kind == postWrite || p.kind == postWriteKept) {
			posted += len(p.data) + entryCost
		}
	}
	if n := c.outside.size(); n != handed+posted && c.state == stateOpen {
		s.fail("%v: %d bytes are outside, want %d and %d", c, n, handed, posted)
	}
	largest := s.sizes[len(s.sizes)-1] + 10 + entryCost
	queue := s.engine.cfg.QueueBytes
	if limit := max(queue/2, queue/4+largest); s.keeps && handed > limit {
		s.fail("%v: a handler has %d bytes, want at most %d", c, handed, limit)
	}
	replies, limit := posted+c.queued(), queue/2+c.larger*largest+(s.pings+1)*(entryCost+10)
	if s.keeps && c.values && c.state == stateOpen && replies > limit {
		s.fail("%v: %d bytes of replies wait, want at most %d", c, replies, limit)
	}
	if limit := 2*queue + 10*largest; handed > limit {
		s.fail("%v: a handler has %d bytes, want at most %d", c, handed, limit)
	}
}
