package socket

// followers are a connection's memberships that follow logs, and who waits to write to
// it. Owned by the loop.
type followers struct {
	first, last *Membership // those whose state is followerWaits, in turn
	acks        *Membership // whose messages pongs acknowledge
	handler     *handing    // nil unless there was a value, or a reply had to wait
	pinged      Position    // what the answer to the last numbered ping acknowledges
	written     Position    // what the next one's does
	passed      int         // bytes of what is not kept, published since one of them began to wait, or was handed a page
	waiting     int32       // how many wait for their turn
	left        int32       // and how many of them left meanwhile
	asked       bool        // a page is on its way: one at a time
	starved     bool        // the handler has no room
	listed      bool        // in Loop.askers
	pinging     bool        // the last numbered ping is not answered yet
	number      uint8       // of that ping
}

// handing is what a handler has, or waits for.
type handing struct {
	last    Position     // the value that it was handed last of what pongs acknowledge, unless it is done with it
	spare   int          // bytes outside beyond the bound, for kept values that were handed over in spite of it
	writers []chan error // of those who wait to write
}

// hands returns what the handler has.
func (fs *followers) hands() *handing {
	if fs.handler == nil {
		fs.handler = new(handing)
	}
	return fs.handler
}

// isDone reports whether the handler is done with all that pongs acknowledge.
func (fs *followers) isDone() bool { return fs.handler == nil || fs.handler.last == Position{} }

// awaited reports whether somebody waits to write.
func (fs *followers) awaited() bool { return fs.handler != nil && len(fs.handler.writers) > 0 }

// follows returns the followers of c, which then has some.
func (c *Conn) follows() *followers {
	if c.followers == nil {
		c.followers = new(followers)
	}
	return c.followers
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
// sent before, and its handler is done with most of what it was handed, so that what is
// held for it is bounded, and so is who reads how much.
func (l *Loop) askPages() {
	for _, c := range l.askers {
		c.followers.listed = false
		if c.state == stateOpen && !c.broken {
			c.followers.goOn(c)
		}
	}
	clear(l.askers)
	l.askers = l.askers[:0]
}

// goOn goes on with what waits for the outbox to be empty.
func (fs *followers) goOn(c *Conn) {
	if !fs.awaited() && !fs.wants() {
		return
	}
	if o := c.out.Load(); o != nil && o.await() {
		return
	}
	fs.ready(c)
}

// drained is goOn for a connection whose outbox, which it waited for, is empty. There
// may be another one already, of what was output since: where that is much, there is
// one whenever it is looked at.
func (l *Loop) drained(c *Conn) {
	if fs := c.followers; fs != nil && c.state == stateOpen && !c.broken {
		fs.ready(c)
	}
}

// ready lets those write who wait to, and a page be read when little is outside.
func (fs *followers) ready(c *Conn) {
	fs.tell(nil)
	if fs.wants() && !c.outside.await(c.few()) {
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
		return c.waits() > c.few()
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
