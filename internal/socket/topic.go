package socket

import "sync/atomic"

// Topic is a set of connections that are sent the same frames. Its members are
// kept by loop: each part belongs to the goroutine of its loop, but the counts,
// which senders read to leave out loops without members.
type Topic struct {
	parts []part
}

type part struct {
	count   atomic.Int32 // connections here or on their way
	members []member     // owned by the loop
}

// member is one connection in a topic; at is its place in conn.memberships.
type member struct {
	conn *Conn
	at   int32
}

// membership is one topic of a connection; at is its place in the members of
// the connection's loop.
type membership struct {
	topic *Topic
	at    int32
}

// NewTopic returns an empty topic for connections of e.
func (e *Engine) NewTopic() *Topic {
	return &Topic{parts: make([]part, len(e.loops))}
}

// Join adds c to t. Each Join of a topic needs one Leave, or one Forget after
// the end of the connection. Safe for concurrent use.
func (c *Conn) Join(t *Topic) error {
	t.parts[c.loop.index].count.Add(1)
	return c.loop.put(background, post{kind: postJoin, conn: c, topic: t})
}

// Leave takes c out of t. Safe for concurrent use.
func (c *Conn) Leave(t *Topic) error {
	t.Forget(c)
	return c.loop.put(background, post{kind: postLeave, conn: c, topic: t})
}

// Forget stops counting c, which is over, among the members of t.
func (t *Topic) Forget(c *Conn) { t.parts[c.loop.index].count.Add(-1) }

// join runs on the loop.
func (l *Loop) join(c *Conn, t *Topic) {
	if c.state != stateOpen {
		return
	}
	p := &t.parts[l.index]
	p.members = append(p.members, member{c, int32(len(c.memberships))})
	c.memberships = append(c.memberships, membership{t, int32(len(p.members) - 1)})
}

// leave runs on the loop.
func (l *Loop) leave(c *Conn, t *Topic) {
	for i := range c.memberships {
		if c.memberships[i].topic == t {
			l.removeMembership(c, i)
			return
		}
	}
}

// removeMembership swaps the last entry into the freed place on both sides.
func (l *Loop) removeMembership(c *Conn, i int) {
	gone := c.memberships[i]
	p := &gone.topic.parts[l.index]
	last := len(p.members) - 1
	moved := p.members[last]
	p.members[gone.at] = moved
	moved.conn.memberships[moved.at].at = gone.at
	p.members[last] = member{}
	p.members = shrink(p.members[:last])

	last = len(c.memberships) - 1
	if i != last {
		next := c.memberships[last]
		c.memberships[i] = next
		next.topic.parts[l.index].members[next.at].at = int32(i)
	}
	c.memberships[last] = membership{}
	c.memberships = c.memberships[:last]
}

// shrink gives memory back once three quarters of it are unused.
func shrink(m []member) []member {
	if len(m) == 0 {
		return nil
	}
	if cap(m) >= 64 && len(m) <= cap(m)/4 {
		return append(make([]member, 0, len(m)*2), m...)
	}
	return m
}
