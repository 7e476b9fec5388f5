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
	for m := range p.each {
		f := m.follower
		if f.state == followerLive && f.follows(&run[0]) && l.handOver(m, last, data, len(run) == 1) {
			continue
		}
		for i := range run {
			l.publishTo(m, &run[i])
		}
	}
}

// each yields the members, from the last to the first, since one that is too slow leaves
// and is swapped out meanwhile.
func (p *part) each(yield func(*Membership) bool) {
	for i := len(p.members) - 1; i >= 0; i-- {
		if !yield(p.members[i]) {
			return
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
	for m := range p.part.each {
		l.publishTo(m, p)
	}
}

// publishTo hands one message to a follower that is live: one that it has is
// dropped, and where there is a gap before it, or no room for it, the follower
// reads.
func (l *Loop) publishTo(m *Membership, p *post) {
	f := m.follower
	switch {
	case m.at == hasLeft, f.state != followerLive, f.At().Epoch == p.at.Epoch && p.at.Seq <= f.At().Seq:
	case !f.follows(p), !l.handOver(m, p, p.data, true):
		l.wait(m)
	}
}

// follows reports whether a message is the next one of a follower.
func (f *Follower) follows(p *post) bool {
	return f.At().Epoch == p.at.Epoch && p.prev <= f.At().Seq && f.At().Seq < p.at.Seq
}

// handOver hands a follower its next messages, up to that of p, if there is room for
// them.
func (l *Loop) handOver(m *Membership, p *post, data []byte, one bool) bool {
	c := m.conn
	switch isFor := p.except == (ID{}) || c.ID != p.except; {
	case isFor && p.value != nil:
		return l.hand(m, p.value, p.size, p.at)
	case !isFor:
		m.follower.moveTo(p.at)
		l.skipped(m)
	case l.takes(c, len(data), one):
		l.writeKept(c, data)
		m.follower.moveTo(p.at)
		l.wrote(m)
	default:
		return false
	}
	return true
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
			if f.state == followerLive && (g.unknown || f.At().Epoch != g.last.Epoch || f.At().Seq < g.last.Seq) {
				l.wait(m)
			}
		}
	}
}
