package socket

import (
	"context"
	"time"
)

// Position is a place in a log. Those of one epoch are in the order of Seq.
type Position struct{ Epoch, Seq uint64 }

// Source is where a follower's messages come from while it is not live. Its methods
// are called by the loop, and must not block, nor post to one.
type Source interface {
	// Read asks for the messages behind Follower.At. It is answered by one
	// Membership.Turn.
	Read()
	// Acked says that the peer acknowledged what was written up to a position.
	Acked(at Position)
	// Beat is called with the heartbeat of a connection whose pongs acknowledge.
	Beat(now time.Time)
}

// Follower is a membership that misses no message of a log. It has a position in
// it, and either reads pages of the log, as the socket takes them, or is live: it
// gets what is published at the log's head. What it would lose there, because
// there is no room or because something came between, has it read again. The zero
// value is for Membership.Follow; after Membership.Begin it is the loop's.
type Follower struct {
	source  Source
	reached Place // of the last message that was handed over
	next    *Membership
	before  *Follower // on the part's list, as after
	after   *Follower
	state   followerState
	pongs   bool
	careful bool // Following.Careful
	Acks    bool // for the source's use, set before Follow
	again   bool // the page that was asked for may be older than what came by
}

// moveTo notes how far the follower was handed its messages.
func (f *Follower) moveTo(at Position) { f.reached.Move(at) }

// Reached returns the position up to which the follower was handed its messages.
// Any goroutine may call it. It is zero until Membership.Begin.
func (f *Follower) Reached() Position { return f.reached.Position() }

// Head returns the position up to which the log is known to hold messages, or that
// its follower was handed if that is further; zero of another membership. Only for
// Closing of its handler.
func (m *Membership) Head() Position {
	f := m.follower
	if f == nil {
		return Position{}
	}
	if head := m.part.log.head; head.Epoch == f.At().Epoch && head.Seq > f.At().Seq {
		return head
	}
	return f.At()
}

type followerState uint8

const (
	followerWaits followerState = iota // for its turn to read
	followerReads                      // a page was asked for
	followerRests                      // reading failed: it is tried again with the next beat
	followerLive
)

// Following says how a membership follows a log.
type Following struct {
	At    Position // messages behind it are wanted
	Head  bool     // At is the log's head, as read after Follow: there is nothing behind it
	Pongs bool     // ping after what is written, and tell Source of the answer; for one membership of a connection. A value counts as written when Handled says so

	// Careful has each page wait until all before it is acknowledged, where Pongs
	// acknowledge: of pages of one message, the one that is not acknowledged is then
	// the one that a peer which ends its connection could not take.
	Careful bool
}

// Handler returns the handler of a membership's connection.
func (m *Membership) Handler() Handler { return m.conn.handler }

// Follow is Init for a membership that follows a log, as all of its topic do. It is
// started with Begin instead of Join.
func (m *Membership) Follow(f *Follower, c *Conn, t *Topic) {
	m.follower = f
	m.Init(c, t)
}

// Source returns the source of a membership that follows a log, nil of another.
func (m *Membership) Source() Source {
	if m.follower == nil {
		return nil
	}
	return m.follower.source
}

// From sets where a follower's messages come from. It is called before Follow.
func (f *Follower) From(s Source) { f.source = s }

// At returns the position up to which the follower was handed its messages, behind
// which its source is asked to read. Only for the loop, and between Source.Read and
// Membership.Turn.
func (f *Follower) At() Position { return f.reached.own() }

// Begin starts a membership that follows a log. How it does is found out between
// Follow and Begin: what is published meanwhile is not missed.
func (m *Membership) Begin(how Following) error {
	f := m.follower
	f.pongs, f.careful = how.Pongs, how.Careful
	f.moveTo(how.At)
	if how.Head {
		f.state = followerLive
	}
	return m.Join()
}

// Page is a part of a log for one follower: whole frames, or values.
type Page struct {
	Frames []byte // the receiver's to keep
	Values []PageValue
	Bytes  int      // that all Values keep alive
	To     Position // behind the last message
	More   bool     // the log holds more
	Failed bool     // the log could not be read; the rest is zero
}

// PageValue is one value of a page.
type PageValue struct {
	Value any
	Size  int // bytes that it keeps alive
	At    Position
}

// Turn answers Source.Read. It waits for room in the loop's mailbox until ctx
// ends.
func (m *Membership) Turn(ctx context.Context, p *Page) error {
	return m.part.loop.putPage(ctx, post{kind: postPage, member: m, page: p, size: len(p.Frames) + p.Bytes})
}

// Room says that a handler whose Deliver returned false has room again.
func (c *Conn) Room() error { return c.loop.put(background, post{kind: postRoom, conn: c}) }

// Handled says how far a handler got with a follower's values.
func (m *Membership) Handled(at Position) error {
	return m.part.loop.put(background, post{kind: postHandled, member: m, at: at})
}

// PublishKept hands the message at p.At of a log to the members of t. It does not
// wait: where a mailbox is full, followers read it from the log. Members of a topic
// that follows none, since others keep what this hub does not, go without.
func (e *Engine) PublishKept(t *Topic, p Post) error {
	for part := t.all(); part != nil; part = part.next {
		members := part.count.Load()
		if members == 0 {
			continue
		}
		message := post{kind: postPublish, part: part, data: p.Frame, value: p.Value, size: p.Size, except: p.Except}
		if part.log != nil {
			message.at, message.prev = p.At, p.Prev
		}
		room, err := part.loop.offer(message)
		if err != nil {
			return err
		}
		if !room && part.log == nil {
			e.stats.Dropped.Add(int64(members))
		}
	}
	return nil
}

// Reread sends the followers of t that are live, if it is a log's, back to reading.
// It does not wait.
func (e *Engine) Reread(t *Topic) {
	for part := t.all(); part != nil; part = part.next {
		if part.log != nil {
			part.loop.miss(part, missing{unknown: true})
		}
	}
}

// begin takes in a membership that follows a log.
func (l *Loop) begin(m *Membership) {
	c, f := m.conn, m.follower
	fs := c.follows()
	if f.pongs {
		fs.acks = m
		if fs.handler != nil {
			fs.handler.last = Position{}
		}
		if f.careful { // else the first page would wait for an answer to nothing
			fs.written, fs.pinged = f.At(), f.At()
		}
	}
	head := m.part.log.head
	mayBePast := head.Epoch != f.At().Epoch && head != (Position{})
	if f.state != followerLive || mayBePast || m.part.past(f.At()) {
		l.wait(m)
	}
}

// partLog is what a part of a log's topic has besides.
type partLog struct {
	head    Position  // of the last message that came by, or was missing; owned by the loop
	missing missing   // guarded by the mailbox' mu
	first   *Follower // on the list; guarded by whoever uses Membership.List
}

// unknown is a place of no epoch there is.
var unknown = Position{Seq: 1}

// past reports whether a part's log is known to be past a place.
func (p *part) past(at Position) bool {
	return p.log.head.Epoch == at.Epoch && p.log.head.Seq > at.Seq
}

// advance notes the place that a part's log is at. A page that was asked for before
// cannot be compared with one of another epoch: who reads has to once more.
func (p *part) advance(head Position) {
	if p.log.head.Epoch != head.Epoch || head.Epoch == unknown.Epoch {
		for _, m := range p.members {
			if m.follower.state == followerReads {
				m.follower.again = true
			}
		}
	}
	p.log.head = head
}

// page takes the answer to Source.Read.
func (l *Loop) page(m *Membership, p *Page) {
	c, f := m.conn, m.follower
	again := f.again
	f.again = false
	c.followers.asked = false
	l.asks(c)
	if c.state != stateOpen || c.broken || m.at == hasLeft {
		return
	}
	switch {
	case p.Failed:
		f.state = followerRests
		l.resting = append(l.resting, m)
	case !l.turnPage(m, p), p.More, again, m.part.past(f.At()):
		l.wait(m)
	default:
		f.state = followerLive
	}
}

// turnPage hands a page over, and reports whether it could all be: the rest is read
// again.
func (l *Loop) turnPage(m *Membership, p *Page) bool {
	c, f, before := m.conn, m.follower, m.follower.At()
	for _, v := range p.Values {
		if !l.hand(m, v.Value, v.Size, v.At) {
			return false
		}
	}
	if len(p.Frames) > 0 {
		if !l.takes(c, len(p.Frames), true) {
			return false
		}
		if l.writeKept(c, p.Frames); c.state != stateOpen || c.broken {
			return false
		}
	}
	c.followers.passed = 0
	if f.moveTo(p.To); f.At() == before {
		return true
	}
	if len(p.Frames) > 0 {
		l.wrote(m)
	} else {
		l.skipped(m)
	}
	return true
}
