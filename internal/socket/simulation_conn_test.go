package socket

import "fmt"

// simConn is a connection, its transport, its handler and its peer.
type simConn struct {
	Conn
	sim      *simulation
	number   int
	stream   bool
	values   bool
	members  []*simFollower
	pongs    bool // one of them is acknowledged
	accepted bool
	closing  bool
	closed   bool

	// The transport.
	room    int  // bytes that the socket takes
	short   bool // it did not take all
	writers []*simWriter

	// The peer.
	received []byte   // part of a frame
	answers  []string // pongs to send
	pinged   int
	answered int
	wrote    int // messages to this connection alone
	got      int // the last one of them
	ended    bool
	said     bool // the close frame came

	simHandler
}

func (c *simConn) String() string { return fmt.Sprint("conn ", c.number) }

func (f *simFollower) String() string { return fmt.Sprint(f.conn, " in ", f.log.id) }

func (s *simulation) open() bool {
	open := 0
	for _, c := range s.conns {
		if !c.closed {
			open++
		}
	}
	if open >= 4 || len(s.conns) >= 12 {
		return false
	}
	c := &simConn{sim: s, number: len(s.conns), stream: s.n(3) == 0, values: s.n(3) == 0, simHandler: s.newHandler()}
	c.ID[0] = byte(c.number + 1)
	c.loop, c.handler, c.io = s.loop, c, (*simTransport)(c)
	held := &outbox{held: true}
	held.add([]byte(nil), false)
	c.out.Store(held)
	if !s.put(0, "open", func() error { return s.loop.put(background, post{kind: postOpen, conn: &c.Conn}) }) {
		return false
	}
	s.conns = append(s.conns, c)
	s.tell("%v: stream %v, values %v", c, c.stream, c.values)
	return true
}

func (s *simulation) accept() bool {
	c := s.conn()
	return c != nil && s.acceptNow(c)
}

func (s *simulation) acceptNow(c *simConn) bool {
	if c.accepted {
		return false
	}
	c.accepted = s.put(0, "accept", c.Accept)
	return c.accepted
}

// conn returns one that is not closed, nil for none.
func (s *simulation) conn() *simConn {
	if len(s.conns) == 0 {
		return nil
	}
	if c := s.conns[s.n(len(s.conns))]; !c.closed {
		return c
	}
	return nil
}

// follower returns a follower that fits, nil for none.
func (s *simulation) follower(fits func(*simFollower) bool) (found *simFollower) {
	n := 0
	for _, c := range s.conns {
		for _, f := range c.members {
			if fits(f) {
				if n++; s.n(n) == 0 {
					found = f
				}
			}
		}
	}
	return found
}

func (s *simulation) close() bool {
	c := s.conn()
	if c == nil || s.n(20) > 0 {
		return false
	}
	s.tell("%v is closed", c)
	return s.put(0, "close", func() error { return c.Close(codeNormal, "") })
}

// writePlain writes something that is not kept to one connection.
func (s *simulation) writePlain() bool {
	c := s.conn()
	return c != nil && !s.keeps && s.writeTo(c)
}

func (s *simulation) writeTo(c *simConn) bool {
	frame := simFrame(simPlain, c.wrote+1, s.size())
	if !s.put(len(frame), "write", func() error { return c.Write(background, frame, s.n(4) == 0) }) {
		return false
	}
	c.wrote++
	return true
}

// publishPlain publishes something that is not kept.
func (s *simulation) publishPlain() bool {
	if s.keeps {
		return false
	}
	p, l, values := Post{More: s.n(4) == 0}, s.log(), s.n(2)
	if c := s.conn(); c != nil && s.n(4) == 0 {
		p.Except = c.ID
	}
	if values == 0 {
		p.Frame = simFrame(simPlain, 0, s.size())
	} else {
		p.Size = s.size()
		p.Value = simPlainValue(p.Size)
	}
	return s.put(len(p.Frame)+p.Size, "plain", func() error { return s.engine.Publish(background, &l.topics[values], p) })
}

// Receive is Handler's.
func (*simConn) Receive([]Message) bool { return true }

// PeerClose is Handler's.
func (*simConn) PeerClose(uint16, string) {}

// Closing is Handler's.
func (c *simConn) Closing() {
	c.sim.tell("%v: closing", c)
	if c.closing {
		c.sim.fail("%v: Closing is called twice", c)
	}
	c.closing = true
	slow := c.sim.slow
	c.sim.slow = c.sim.engine.stats.SlowClosed.Load()
	for _, f := range c.members {
		if c.sim.slow == slow && f.Membership.at > notJoined { // else the last messages had no room
			f.owed = f.log.behind(f.f.At())
		}
		if f.stage != simLeft {
			f.Forget()
			f.stage = simLeft
		}
	}
}

// Closed is Handler's.
func (c *simConn) Closed(uint16, error) {
	c.sim.tell("%v: closed", c)
	if c.closed || !c.closing {
		c.sim.fail("%v: Closed is called twice, or before Closing", c)
	}
	c.closed = true
}
