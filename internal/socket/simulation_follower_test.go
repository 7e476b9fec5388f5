package socket

import (
	"slices"
	"time"
)

// simFollower is a membership that follows a log.
type simFollower struct {
	Membership
	f       Follower
	sim     *simulation
	conn    *simConn
	log     *simLog
	how     Following
	stage   simStage
	asked   bool
	live    bool  // it was, when it was looked at last
	page    *Page // that was read
	expects int   // index of the first message that did not come yet
	owed    int   // index behind the last message that is written before the close frame
	skips   map[int]bool
	handled Position
	replied int // the last reply to what was handled
	acked   Position
}

type simStage uint8

const (
	simFollows simStage = iota
	simKnows            // how
	simBegan
	simLeft
)

func (s *simulation) follow() bool {
	c := s.conn()
	l := s.log()
	if c == nil || c.closing || slices.ContainsFunc(c.members, func(f *simFollower) bool { return f.log == l }) {
		return false
	}
	s.newFollower(c, l)
	return true
}

func (s *simulation) newFollower(c *simConn, l *simLog) *simFollower {
	f := &simFollower{sim: s, conn: c, log: l}
	topic := &l.topics[0]
	if c.values {
		topic = &l.topics[1]
	}
	f.f.From(f)
	f.Follow(&f.f, &c.Conn, topic)
	c.members = append(c.members, f)
	s.tell("%v follows", f)
	return f
}

// begin goes on with a membership that did not begin.
func (s *simulation) begin() bool {
	f := s.follower(func(f *simFollower) bool { return f.stage <= simKnows })
	if f == nil || f.conn.closing {
		return false
	}
	return s.goOn(f)
}

func (s *simulation) goOn(f *simFollower) bool {
	if f.stage == simKnows {
		if !s.put(0, "begin", func() error { return f.Begin(f.how) }) {
			return false
		}
		f.stage = simBegan
		s.tell("%v begins at %v, head %v", f, f.how.At, f.how.Head)
		return true
	}
	l := f.log
	head := Position{l.epoch, l.head}
	f.how = Following{At: head}
	switch s.n(4) {
	case 0:
		f.how.At = Position{}
	case 1:
		if len(l.entries) > 0 {
			f.how.At = l.entries[s.n(len(l.entries))].at
		}
	case 2:
		f.how.At.Seq = s.r.Uint64N(head.Seq + 1)
	}
	f.how.Head = f.how.At == head
	f.expects, f.stage = l.behind(f.how.At), simKnows
	f.handled = f.how.At
	if !f.conn.pongs && s.n(2) == 0 {
		f.conn.pongs, f.how.Pongs = true, true
	}
	return true
}

// churn has a connection join and leave as fast as it can.
func (s *simulation) churn() bool {
	c := s.conn()
	if c == nil || c.closing || s.n(30) > 0 || s.loop.limit < 20_000 {
		return false
	}
	for range 10 + s.n(30) {
		f := s.newFollower(c, &simLog{id: 100, epoch: 1})
		s.goOn(f) // now it knows how
		if !s.goOn(f) || !s.put(0, "leave", f.Leave) {
			break
		}
		f.stage = simLeft
	}
	return true
}

func (s *simulation) leave() bool {
	f := s.follower(func(f *simFollower) bool { return f.stage != simLeft })
	if f == nil || f.conn.closing || s.n(4) > 0 {
		return false
	}
	if !s.put(0, "leave", f.Leave) {
		return false
	}
	s.tell("%v leaves", f)
	if f.stage == simKnows && s.n(2) == 0 { // it was about to begin
		s.put(0, "begin", func() error { return f.Begin(f.how) })
	}
	f.stage = simLeft
	return true
}

// Read is Source's.
func (f *simFollower) Read() {
	if f.f.state != followerReads {
		f.sim.fail("%v is asked for a page in state %d", f, f.f.state)
	}
	for _, other := range f.conn.members {
		if other.asked || other.page != nil {
			f.sim.fail("%v and %v are asked for pages", f, other)
		}
	}
	if f.live && f.sim.calm && !f.conn.values {
		f.sim.fail("%v was live, and reads", f)
	}
	f.asked = true
	f.sim.tell("%v reads behind %v", f, f.f.At())
	f.sim.meanwhile()
}

func (s *simulation) readPage() bool {
	f := s.follower(func(f *simFollower) bool { return f.asked })
	return f != nil && s.readNow(f)
}

func (s *simulation) readNow(f *simFollower) bool {
	l, at := f.log, f.f.At()
	f.asked = false
	if !s.resting && s.n(s.fails) == 0 {
		f.page = &Page{Failed: true}
		return true
	}
	p := &Page{To: Position{l.epoch, l.head}}
	f.page = p
	next := l.behind(at)
	for ; next < l.first; next++ {
		if f.skips == nil {
			f.skips = make(map[int]bool)
		}
		f.skips[next] = true
	}
	size := 0
	for n := 1 + s.n(5); n > 0 && next < len(l.entries); n-- {
		e := l.entries[next]
		if size += len(e.frame); size > len(e.frame) && size > s.engine.cfg.QueueBytes/4 {
			break
		}
		next++
		p.To = e.at
		switch {
		case e.except == f.conn:
		case f.conn.values:
			p.Values = append(p.Values, PageValue{e, len(e.frame), e.at})
			p.Bytes += len(e.frame)
		default:
			p.Frames = append(p.Frames, e.frame...)
		}
	}
	p.More = next < len(l.entries) || !s.resting && s.n(16) == 0
	s.tell("%v gets a page to %v, %d bytes, more %v", f, p.To, len(p.Frames), p.More)
	return true
}

func (s *simulation) turn() bool {
	f := s.follower(func(f *simFollower) bool { return f.page != nil })
	return f != nil && s.turnNow(f)
}

func (s *simulation) turnNow(f *simFollower) bool {
	p, l := f.page, s.loop
	cost := l.pageCost(&post{data: p.Frames, size: p.Bytes})
	if !l.pages.TryAcquire(cost) {
		return false
	}
	l.pages.Release(cost)
	f.page = nil // a page may be asked for before Turn returns
	if !s.put(len(p.Frames)+p.Bytes, "page", func() error { return f.Turn(background, p) }) {
		f.page = p
		return false
	}
	return true
}

// excused reports whether a message need not come.
func (f *simFollower) excused(index int) bool {
	e := f.log.entries[index]
	return e.except == f.conn || e.lost || f.skips[index]
}

// missing returns the first message before an index that should have come, or -1.
func (f *simFollower) missing(before int) int {
	for i := f.expects; i < before; i++ {
		if !f.excused(i) {
			return i
		}
	}
	return -1
}

// gets takes a message.
func (f *simFollower) gets(index int) {
	f.sim.tell("%v gets %d", f, index)
	if index < f.expects || f.log.entries[index].except == f.conn {
		f.sim.fail("%v gets %d (%v) again, or has no business with it", f, index, f.log.entries[index].at)
	}
	if i := f.missing(index); i >= 0 {
		f.sim.fail("%v gets %d (%v) before %d (%v)", f, index, f.log.entries[index].at, i, f.log.entries[i].at)
	}
	f.expects = index + 1
}

// Beat is Source's.
func (f *simFollower) Beat(time.Time) {}

// Acked is Source's.
func (f *simFollower) Acked(at Position) {
	f.sim.tell("%v: %v is acknowledged", f, at)
	l := f.log
	if i := f.missing(l.behind(at)); i >= 0 {
		f.sim.fail("%v: %v is acknowledged, and %d (%v) did not come", f, at, i, l.entries[i].at)
	}
	if f.conn.values {
		f.conn.checkHandled(f, at)
	}
	if f.at == hasLeft && f.conn.state == stateOpen {
		f.sim.fail("%v left, and %v is acknowledged", f, at)
	}
	if !f.how.Pongs || at.Epoch < f.acked.Epoch || at.Epoch == f.acked.Epoch && at.Seq <= f.acked.Seq {
		f.sim.fail("%v: %v is acknowledged after %v", f, at, f.acked)
	}
	f.acked = at
}
