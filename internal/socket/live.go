package socket

// publishKept hands a run of a log's messages, neighbours in the mailbox, to the
// followers of their topic that are live.
func (l *Loop) publishKept(run []post) {
	p, last := run[0].part, &run[len(run)-1]
	p.advance(last.at)
	if len(p.members) == 0 {
		return
	}
	if run[0].value != nil || !joined(run) {
		for i := range run {
			l.publishOne(&run[i])
		}
		return
	}
	data := joinFrames(run)
	for _, m := range p.members {
		f := m.follower
		if f.state == followerLive && f.follows(&run[0]) && l.fits(m.conn, len(data), len(run)) {
			l.handOver(m, last, data)
			continue
		}
		for i := range run {
			l.publishTo(m, &run[i])
		}
	}
}

// joined reports whether each message of a run follows the one before it.
func joined(run []post) bool {
	for i := 1; i < len(run); i++ {
		before := run[i-1].at
		if run[i].at.Epoch != before.Epoch || run[i].prev > before.Seq || run[i].at.Seq <= before.Seq {
			return false
		}
	}
	return true
}

// publishOne hands one message to the followers.
func (l *Loop) publishOne(p *post) {
	for _, m := range p.part.members {
		l.publishTo(m, p)
	}
}

// publishTo hands one message to a follower that is live: one that it has is
// dropped, and where there is a gap before it, or no room for it, the follower
// reads.
func (l *Loop) publishTo(m *Membership, p *post) {
	f := m.follower
	switch {
	case f.state != followerLive, f.at.Epoch == p.at.Epoch && p.at.Seq <= f.at.Seq:
	case !f.follows(p):
		l.wait(m)
	case p.value != nil:
		if l.takesValue(m.conn) {
			l.handOverValue(m, p)
		} else {
			l.wait(m)
		}
	case l.fits(m.conn, len(p.data), 1):
		l.handOver(m, p, p.data)
	default:
		l.wait(m)
	}
}

// follows reports whether a message is the next one of a follower.
func (f *Follower) follows(p *post) bool {
	return f.at.Epoch == p.at.Epoch && p.prev <= f.at.Seq && f.at.Seq < p.at.Seq
}

// handOver outputs a follower's next messages, up to that of p.
func (l *Loop) handOver(m *Membership, p *post, data []byte) {
	m.follower.moveTo(p.at)
	isFor := p.except == (ID{}) || m.conn.ID != p.except
	if isFor {
		l.output(m.conn, data)
	}
	l.handedOver(m, isFor)
}

func (l *Loop) handOverValue(m *Membership, p *post) {
	c := m.conn
	if c.state == stateOpen && (p.except == (ID{}) || c.ID != p.except) && !c.handler.Deliver(p.value) {
		c.followers.starved = true
		l.wait(m)
		return
	}
	m.follower.moveTo(p.at)
}

// takesValue reports whether what a handler may write for a value has room: what it
// has been handed before is not written yet, and takes up to half the bound.
func (l *Loop) takesValue(c *Conn) bool {
	return c.followers.waits(c) <= l.engine.cfg.QueueBytes/4
}

// fits reports whether a connection takes so many bytes more within half the bound of
// what may wait for it, or a slow one would have no room for what is not kept; where
// nothing waits, one frame of any size.
func (l *Loop) fits(c *Conn, size, frames int) bool {
	waits := c.followers.waits(c)
	return waits+size+entryCost <= l.engine.cfg.QueueBytes/2 || waits == 0 && frames == 1
}

// waits returns how much waits for the connection.
func (fs *followers) waits(c *Conn) int {
	if o := c.out.Load(); o != nil {
		return fs.output + o.size()
	}
	return fs.output
}

// lost takes note of what was not handed over: the followers that miss it read.
func (l *Loop) lost(gaps []gap) {
	for _, g := range gaps {
		head := g.part.log.head // perhaps of a smaller message that came later, and had room
		switch {
		case g.unknown || head.Epoch != g.last.Epoch && head != (Position{}):
			head = unknown
		case head.Seq < g.last.Seq:
			head = g.last
		}
		g.part.advance(head)
		for _, m := range g.part.members {
			f := m.follower
			if f.state == followerLive && (g.unknown || f.at.Epoch != g.last.Epoch || f.at.Seq < g.last.Seq) {
				l.wait(m)
			}
		}
	}
}
