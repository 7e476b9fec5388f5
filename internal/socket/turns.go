package socket

// followers are a connection's memberships that follow logs. Owned by the loop.
type followers struct {
	first, last *Membership // those whose state is followerWaits, in turn
	acks        *Membership // whose messages pongs acknowledge
	pinged      Position    // what the answer to the last numbered ping acknowledges
	careful     Position    // Following.Careful, zero once that is acknowledged
	written     Position    // what the next one's does
	passed      int         // bytes of what is not kept, published since one of them began to wait, or was handed a page
	output      int         // bytes of this round's, with entryCost for each piece
	waiting     int32       // how many wait for their turn
	left        int32       // and how many of them left meanwhile
	asked       bool        // a page is on its way: one at a time
	starved     bool        // the handler has no room
	listed      bool        // in Loop.askers
	pinging     bool        // the last numbered ping is not answered yet
	number      uint8       // of that ping
}

// wait has m read when it is its turn.
func (l *Loop) wait(m *Membership) {
	m.follower.state = followerWaits
	m.conn.followers.push(m)
	l.asks(m.conn)
}

func (fs *followers) push(m *Membership) {
	if fs.first == nil {
		fs.first = m
	} else {
		fs.last.follower.next = m
	}
	fs.last = m
	fs.waiting++
}

// forget takes note of a membership that left. Those that waited are taken out when
// they are many: a peer may join and leave as often as it likes.
func (fs *followers) forget(m *Membership) {
	if fs.acks == m {
		fs.acks = nil
	}
	if m.follower.state != followerWaits {
		return
	}
	if fs.left++; fs.left < 16 || 2*fs.left < fs.waiting {
		return
	}
	first := fs.first
	fs.first, fs.last, fs.waiting, fs.left = nil, nil, 0, 0
	for at := first; at != nil; {
		next := at.follower.next
		at.follower.next = nil
		if at.at != hasLeft {
			fs.push(at)
		}
		at = next
	}
}

// asks has a connection's turn to read looked at when the round is out.
func (l *Loop) asks(c *Conn) {
	if fs := c.followers; fs != nil && !fs.listed {
		fs.listed = true
		l.askers = append(l.askers, c)
	}
}

// askPages asks for pages. A connection gets one when the kernel took what it was
// sent before, so that what is held for it is bounded, and so is who reads how much.
func (l *Loop) askPages() {
	for _, c := range l.askers {
		c.followers.listed = false
		if c.state == stateOpen && !c.broken {
			c.followers.ask(c)
		}
	}
	clear(l.askers)
	l.askers = l.askers[:0]
}

func (fs *followers) ask(c *Conn) {
	if !fs.wants() {
		return
	}
	if o := c.out.Load(); o != nil && o.await() {
		return
	}
	fs.read()
}

// drained is ask for a connection whose outbox, which it waited for, is empty. There
// may be another one already, of what was output since: where that is much, there is
// one whenever it is looked at.
func (l *Loop) drained(c *Conn) {
	if fs := c.followers; fs != nil && c.state == stateOpen && !c.broken && fs.wants() {
		fs.read()
	}
}

// wants reports whether there is a page to ask for.
func (fs *followers) wants() bool {
	for fs.first != nil && fs.first.at == hasLeft {
		fs.left--
		fs.pop()
	}
	return fs.first != nil && !fs.asked && !fs.starved && !fs.holdsBack()
}

func (fs *followers) read() {
	m := fs.pop()
	m.follower.state = followerReads
	fs.asked = true
	m.follower.source.Read()
}

func (fs *followers) pop() *Membership {
	m := fs.first
	fs.first, m.follower.next = m.follower.next, nil
	fs.waiting--
	return m
}

// passes counts a message of so many bytes that is not kept, and reports whether more of
// such was published than the queue takes since a follower began to wait, or was handed
// a page. It may then be dropped, where messages are for slow peers: the follower might
// wait for ever.
func (l *Loop) passes(c *Conn, size int) bool {
	fs := c.followers
	switch {
	case fs == nil || !l.engine.cfg.DropWhenSlow:
		return false
	case fs.first == nil && !fs.asked:
		fs.passed = 0
		return false
	}
	fs.passed += size + entryCost
	return fs.passed > l.engine.cfg.QueueBytes
}

// crowds is passes for frames. They are dropped only where they are in the way: while the
// outbox is to become empty, or to have room for the page that was asked for.
func (l *Loop) crowds(c *Conn, size int) bool {
	if !l.passes(c, size) {
		return false
	}
	if c.followers.asked {
		return c.followers.waits(c) > l.engine.cfg.QueueBytes/4
	}
	return c.out.Load() != nil
}

// rested has those whose reading failed try again.
func (l *Loop) rested() {
	for _, m := range l.resting {
		if m.conn.state == stateOpen && m.at != hasLeft {
			l.wait(m)
		}
	}
	clear(l.resting)
	l.resting = l.resting[:0]
}

// room takes Conn.Room.
func (l *Loop) room(c *Conn) {
	if fs := c.followers; fs != nil {
		fs.starved = false
		l.asks(c)
	}
}
