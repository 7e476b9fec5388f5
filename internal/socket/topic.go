package socket

import "sync/atomic"

// Topic is a set of connections that are sent the same frames. The zero value is
// an empty one.
type Topic struct {
	// parts are linked, newest first; there is one for each loop that has had
	// members. Parts are only ever added.
	parts atomic.Pointer[part]
}

// part is what a topic has on one loop.
type part struct {
	next    *part
	loop    *Loop
	count   atomic.Int32  // members here or on their way
	log     *partLog      // nil unless the topic is a log's
	members []*Membership // owned by the loop
}

// Membership is one connection's in one topic. The zero value is for Init;
// it is not used again after Leave or Forget.
type Membership struct {
	conn     *Conn
	part     *part
	follower *Follower // nil unless the topic is a log's
	at       int32     // its place in part.members from 1, or one of the two below; owned by the loop
}

const (
	notJoined = 0
	hasLeft   = -1
)

// all returns the first part. Those that are added meanwhile are not seen.
func (t *Topic) all() *part { return t.parts.Load() }

// on returns the part on a loop, which it adds if there is none.
func (t *Topic) on(l *Loop, follows bool) *part {
	for {
		first := t.parts.Load()
		for p := first; p != nil; p = p.next {
			if p.loop == l {
				return p
			}
		}
		p := &part{next: first, loop: l}
		if follows {
			p.log = &partLog{}
		}
		if t.parts.CompareAndSwap(first, p) {
			return p
		}
	}
}

// Init makes m a membership of c in t, which counts from now on. Each Init needs
// one Leave, or one Forget after the end of the connection.
func (m *Membership) Init(c *Conn, t *Topic) {
	m.conn, m.part = c, t.on(c.loop, m.follower != nil)
	m.part.count.Add(1)
}

// Join adds m's connection to its topic.
func (m *Membership) Join() error {
	return m.part.loop.put(background, post{kind: postJoin, member: m})
}

// Leave ends a membership.
func (m *Membership) Leave() error {
	m.part.count.Add(-1)
	return m.part.loop.put(background, post{kind: postLeave, member: m})
}

// Forget ends the membership of a connection that is over. Only for Closing of
// its handler.
func (m *Membership) Forget() {
	m.part.count.Add(-1)
	m.part.loop.leave(m)
}

// join runs on the loop.
func (l *Loop) join(m *Membership) {
	if m.conn.state != stateOpen || m.at != notJoined {
		return
	}
	p := m.part
	p.members = append(p.members, m)
	m.at = int32(len(p.members))
	if m.follower != nil {
		l.begin(m)
	}
}

// leave runs on the loop. It swaps the last member into the freed place.
func (l *Loop) leave(m *Membership) {
	at := m.at
	m.at = hasLeft
	if at <= notJoined {
		return
	}
	if m.follower != nil && m.conn.state == stateOpen { // else the peer may still acknowledge
		m.conn.followers.forget(m)
	}
	p := m.part
	last := len(p.members) - 1
	moved := p.members[last]
	p.members[last] = nil
	if moved != m {
		p.members[at-1] = moved
		moved.at = at
	}
	p.members = shrink(p.members[:last])
}

// shrink gives memory back once three quarters of it are unused.
func shrink(m []*Membership) []*Membership {
	if len(m) == 0 {
		return nil
	}
	if cap(m) >= 64 && len(m) <= cap(m)/4 {
		return append(make([]*Membership, 0, len(m)*2), m...)
	}
	return m
}
