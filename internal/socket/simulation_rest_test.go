package socket

import "slices"

// rest has everything happen that is about to, and nothing new, and holds what comes
// of it to what must.
func (s *simulation) rest() {
	s.tell("rest")
	s.resting = true
	defer func() { s.resting = false }()
	s.free()
	for _, l := range s.logs {
		for l.published < len(l.entries) {
			s.publishNext(l)
			s.pause()
		}
		if l.rereads {
			s.rereadLog(l)
		}
		s.pause()
	}
	s.settle()
	for _, c := range s.conns {
		s.checkResting(c)
	}
}

// pause has a round happen, or not.
func (s *simulation) pause() {
	if s.n(3) == 0 {
		s.round()
	}
}

// settle has happen what is about to.
func (s *simulation) settle() {
	for n := 0; s.step(); n++ {
		if n == 10_000 {
			s.fail("it does not come to rest")
		}
	}
}

// step reports whether anything happened.
func (s *simulation) step() (did bool) {
	l := s.loop
	l.release()
	if len(l.posts) > 0 || len(l.gaps) > 0 {
		s.round()
		did = true
	}
	for _, c := range s.conns {
		did = s.stepConn(c) || did
	}
	if !did && len(l.resting) > 0 {
		s.tell("beat for %d", len(l.resting))
		l.rested()
		l.flush()
		did = true
	}
	return did
}

// stepConn has happen what a connection is about to.
func (s *simulation) stepConn(c *simConn) (did bool) {
	did = s.acceptNow(c)
	for _, f := range c.members {
		did = s.stepFollower(f) || did
	}
	for _, w := range slices.Clone(c.writers) {
		c.room = 1 << 20
		did = s.write(c, w) || did
	}
	if c.closed {
		return did
	}
	if c.room = 1 << 20; c.short && c.accepted {
		s.ready(c)
		c.short = false
		did = true
	}
	did = s.handleNext(c) || did
	did = s.answer(c) || did
	s.loop.flush()
	return did
}

func (s *simulation) stepFollower(f *simFollower) (did bool) {
	if f.stage <= simKnows && !f.conn.closing {
		did = s.goOn(f)
	}
	if f.asked {
		did = s.readNow(f) || did
	}
	if f.page != nil {
		did = s.turnNow(f) || did
	}
	return did
}

// checkResting holds a connection for which everything happened to what must be.
func (s *simulation) checkResting(c *simConn) {
	if c.state != stateOpen || c.Conn.broken || !c.accepted {
		return
	}
	if c.out.Load() != nil {
		s.fail("%v: something waits to be written", c)
	}
	if c.got != c.wrote && !s.engine.cfg.DropWhenSlow {
		s.fail("%v got message %d, want %d", c, c.got, c.wrote)
	}
	if c.gotKept != c.wroteKept || len(c.queue) > 0 {
		s.fail("%v got reply %d, want %d; %d values wait", c, c.gotKept, c.wroteKept, len(c.queue))
	}
	if c.answered != c.pinged {
		s.fail("%v: ping %d was answered, want %d", c, c.answered, c.pinged)
	}
	if fs := c.followers; fs != nil && (fs.first != nil || fs.waiting > 0 || fs.left > 0 || fs.asked || fs.starved || fs.awaited() || fs.pinging) {
		s.fail("%v waits: %+v", c, *fs)
	}
	for _, f := range c.members {
		if f.stage != simBegan {
			continue
		}
		if f.f.state != followerLive {
			s.fail("%v is in state %d", f, f.f.state)
		}
		if i := f.missing(len(f.log.entries)); i >= 0 {
			s.fail("%v did not get %d (%v)", f, i, f.log.entries[i].at)
		}
		f.expects = f.log.behind(f.f.At())
		if i := f.missing(len(f.log.entries)); i >= 0 {
			s.fail("%v got %d (%v), and is at %v", f, i, f.log.entries[i].at, f.f.At())
		}
		f.expects = len(f.log.entries)
	}
}

// busy has each round write something to each connection that is not kept. Where their
// peers take it at once, and it has room, those who are behind get on all the same.
func (s *simulation) busy() {
	if s.loop.limit < 20_000 || s.engine.cfg.QueueBytes < 1000 || s.keeps || s.calm {
		return
	}
	s.tell("busy")
	for _, c := range s.conns {
		c.replies = 0 // each takes more than a round
	}
	s.resting = true
	defer func() { s.resting = false }()
	for n := range 100 {
		for _, l := range s.logs {
			if n%10 == 0 {
				s.add(l, false)
			}
			if n%20 == 0 { // the next one shows that it is missing
				l.published, l.rereads = len(l.entries), true
			}
			for l.published < len(l.entries) {
				s.publishNext(l)
			}
		}
		for _, c := range s.conns {
			if !c.closed {
				sizes := s.sizes
				s.sizes = sizes[:1]
				s.writeTo(c)
				s.sizes = sizes
			}
			for range 20 {
				s.stepConn(c)
			}
		}
		s.loop.release()
		s.round()
	}
	for _, c := range s.conns {
		for _, f := range c.members {
			if i := f.missing(len(f.log.entries) - 4); i >= 0 && f.stage == simBegan && c.state == stateOpen && !c.Conn.broken {
				s.fail("%v did not get %d of %d", f, i, len(f.log.entries))
			}
		}
	}
	s.rest()
}

// checkQueues holds what waits to be read, and to be written, to its bounds.
func (s *simulation) checkQueues() {
	for _, c := range s.conns {
		if o := c.out.Load(); o != nil && !c.closed {
			s.checkOutbox(c, o)
		}
		for _, f := range c.members {
			f.live = f.Membership.at > notJoined && f.f.state == followerLive
		}
		s.checkWaits(c)
		if c.output > 0 {
			s.fail("%v: %d bytes of a round that is over", c, c.output)
		}
		fs := c.followers
		if fs == nil || c.state != stateOpen {
			continue
		}
		waiting, left := int32(0), int32(0)
		for m := fs.first; m != nil; m = m.follower.next {
			if waiting++; m.at == hasLeft {
				left++
			}
			if m.follower.state != followerWaits || m.follower.next == nil && m != fs.last {
				s.fail("%v: one that waits is in state %d", c, m.follower.state)
			}
		}
		if waiting != fs.waiting || left != fs.left || left >= 16 && 2*left >= waiting {
			s.fail("%v: %d wait, and %d of them left, want %d and %d", c, fs.waiting, fs.left, waiting, left)
		}
		if waiting > left && !fs.asked && !fs.starved && !fs.listed && !c.Conn.broken {
			awaited := c.outside.word.Load()&outsideAwaited != 0
			if o := c.out.Load(); (o == nil || !o.awaits) && !awaited && len(c.writers) == 0 && !s.isTold(c) {
				s.fail("%v: nobody asks for a page", c)
			}
		}
		if fs.awaited() && !fs.listed && !c.Conn.broken {
			if o := c.out.Load(); (o == nil || !o.awaits) && len(c.writers) == 0 && !s.isTold(c) {
				s.fail("%v: nobody tells those who wait to write", c)
			}
		}
	}
}

// isTold reports whether the loop is about to be told that there is no outbox, or few
// bytes are outside.
func (s *simulation) isTold(c *simConn) bool {
	for _, p := range s.loop.posts {
		if (p.kind == postDrained || p.kind == postFew) && p.conn == &c.Conn {
			return true
		}
	}
	return false
}

// checkOutbox holds what waits to be written to its bound, but for one frame or a
// page, what is exempt and pings.
func (s *simulation) checkOutbox(c *simConn, o *outbox) {
	largest := max(5, c.larger) * (s.sizes[len(s.sizes)-1] + 10)
	pings := s.pings * (entryCost + 10)
	const closes = entryCost + maxControl + 2
	if limit := s.engine.cfg.QueueBytes + largest + entryCost + o.spare + pings + closes; o.bytes > limit {
		s.fail("%v: %d bytes wait, want at most %d", c, o.bytes, limit)
	}
	if o.spare > s.engine.cfg.QueueBytes/2+largest+2*entryCost+pings {
		s.fail("%v: %d bytes are exempt", c, o.spare)
	}
}

// checkAcknowledged holds what was acknowledged to what was handed over, after a
// heartbeat.
func (s *simulation) checkAcknowledged() {
	s.resting = true
	for range 2 * len(s.loop.wheel.buckets) {
		s.beatNow()
		s.settle()
	}
	for _, c := range s.conns {
		for _, f := range c.members {
			if f.stage != simBegan || !f.how.Pongs || c.state != stateOpen || c.Conn.broken {
				continue
			}
			want := f.f.At()
			if want != f.how.At && f.acked != want {
				s.fail("%v: %v is acknowledged, want %v", f, f.acked, want)
			}
		}
	}
	if s.keeps && s.engine.stats.Dropped.Load()+s.engine.stats.SlowClosed.Load() > 0 {
		s.fail("somebody was too slow for what is kept")
	}
}

// end ends all connections, and looks for what is left.
func (s *simulation) end() {
	l := s.loop
	for _, c := range s.conns {
		for _, f := range c.members {
			if f.stage != simLeft && s.n(2) == 0 {
				s.put(0, "leave", f.Leave)
				f.stage = simLeft
			}
			s.settle()
		}
		l.closeConn(&c.Conn, codeNormal, "")
		l.flush()
		s.settle()
		l.finalize(&c.Conn, codeNormal)
	}
	s.settle()
	s.beatNow()
	for c := range l.wheel.all() {
		s.fail("%v is left", c.handler)
	}
	for _, log := range s.logs {
		for i := range log.topics {
			for p := log.topics[i].all(); p != nil; p = p.next {
				if p.count.Load() != 0 || len(p.members) > 0 || p.log.missing != (missing{}) {
					s.fail("log %d: %d members and %d, missing %v", log.id, p.count.Load(), len(p.members), p.log.missing)
				}
			}
		}
	}
	if !l.mailbox.room.TryAcquire(l.limit) || !l.pages.TryAcquire(l.pagesLimit()) || l.cost != 0 {
		s.fail("the mailbox has no room")
	}
	if len(l.resting)+len(l.askers)+len(l.dirty)+len(l.nodes)+len(l.stalled) > 0 {
		s.fail("the loop holds %d, %d, %d, %d and %d", len(l.resting), len(l.askers), len(l.dirty), len(l.nodes), len(l.stalled))
	}
}

// shutdown ends the loop in the middle of all.
func (s *simulation) shutdown() {
	l := s.loop
	s.free()
	l.shutdown()
	for _, c := range s.conns {
		if !c.closed || !c.ended {
			s.fail("%v is left", c)
		}
	}
	if !l.mailbox.room.TryAcquire(l.limit) || !l.pages.TryAcquire(l.pagesLimit()) || l.cost != 0 {
		s.fail("the mailbox has no room")
	}
}
