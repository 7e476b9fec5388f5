package socket

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"

	"github.com/gobwas/ws"
)

// simTransport is the transport of a simConn.
type simTransport simConn

func (*simTransport) resume(*Loop, *Conn, []byte) {}
func (*simTransport) paused() bool                { return true }
func (*simTransport) took() bool                  { return false }
func (*simTransport) closeWrite(*Loop)            {}
func (*simTransport) endPart(*Loop, *Conn)        {}
func (*simTransport) drop()                       {}

func (t *simTransport) close(*Loop, *Conn) {
	if t.ended {
		t.sim.fail("%v is closed twice", (*simConn)(t))
	}
	t.ended = true
}

var errSim = errors.New("the socket is broken")

func (t *simTransport) write(_ *Loop, pieces [][]byte) (n int, err error) {
	c := (*simConn)(t)
	c.sim.meanwhile()
	if c.stream {
		return 0, nil
	}
	for _, b := range pieces {
		k, err := c.take(b)
		if n += k; err != nil || k < len(b) {
			return n, err
		}
	}
	return n, nil
}

// take is the socket's taking bytes.
func (c *simConn) take(b []byte) (int, error) {
	if c.ended || c.Conn.broken {
		c.sim.fail("%v is written to after its end", c)
	}
	if !c.sim.resting && c.sim.n(c.sim.breaks) == 0 {
		return 0, errSim
	}
	n := min(len(b), c.room)
	c.room -= n
	c.short = c.short || n < len(b)
	c.receive(b[:n])
	return n, nil
}

// drain is polled's, or begins a writer.
func (t *simTransport) drain(l *Loop, _ *Conn, o *outbox) {
	c := (*simConn)(t)
	if c.stream {
		c.writers = append(c.writers, &simWriter{out: o})
		return
	}
	var buf [400]byte
	for progress := false; ; {
		n := o.peek(&c.Conn, buf[:])
		if n == 0 {
			l.emptied(&c.Conn, o)
			return
		}
		wrote, err := c.take(buf[:n])
		if err != nil {
			o.abandon()
			l.broken(&c.Conn, codeAbnormal)
			return
		}
		o.advance(wrote)
		progress = progress || wrote > 0
		if wrote < n {
			l.stall(&c.Conn, o, progress)
			return
		}
	}
}

// simWriter is the goroutine that empties a stream's outbox.
type simWriter struct {
	out    *outbox
	buf    []byte
	posts  []post // to make
	ending bool
}

func (s *simulation) stepWriter() bool {
	c := s.conn()
	return c != nil && len(c.writers) > 0 && s.write(c, c.writers[s.n(len(c.writers))])
}

// write has a writer do one thing.
func (s *simulation) write(c *simConn, w *simWriter) bool {
	switch {
	case len(w.posts) > 0:
		p := w.posts[0]
		if !s.put(0, "writer", func() error { return s.loop.put(background, p) }) {
			return false
		}
		w.posts = w.posts[1:]
	case w.ending:
		c.writers = slices.DeleteFunc(c.writers, func(o *simWriter) bool { return o == w })
	case len(w.buf) == 0:
		buf := make([]byte, 400)
		n := w.out.peek(&c.Conn, buf)
		if w.buf = buf[:n]; n > 0 {
			break
		}
		w.ending = true
		finish, awaits := w.out.told()
		if finish {
			w.posts = append(w.posts, post{kind: postFlushed, conn: &c.Conn})
		}
		if awaits {
			w.posts = append(w.posts, post{kind: postDrained, conn: &c.Conn})
		}
	default:
		if c.ended {
			w.fails(c)
			break
		}
		n, err := c.take(w.buf)
		if err != nil {
			w.fails(c)
			break
		}
		w.out.advance(n)
		w.buf = w.buf[n:]
		return n > 0
	}
	return true
}

func (w *simWriter) fails(c *simConn) {
	w.out.abandon()
	w.ending = true
	w.posts = append(w.posts, post{kind: postBroken, conn: &c.Conn, code: codeAbnormal})
}

// clientReads makes room in a connection's socket.
func (s *simulation) clientReads() bool {
	c := s.conn()
	if c == nil {
		return false
	}
	c.room = []int{1, 10, 100, 1000, 1 << 20}[s.n(5)]
	s.ready(c)
	return true
}

// ready is the kernel's telling that a socket has room.
func (s *simulation) ready(c *simConn) {
	s.tell("%v: the socket takes %d bytes", c, c.room)
	o := c.out.Load()
	if c.stream || !c.short || o == nil || c.state == stateClosed {
		return
	}
	c.short = false
	s.loop.drain(&c.Conn, o)
}

// receive is the peer's reading.
func (c *simConn) receive(b []byte) {
	c.received = append(c.received, b...)
	b = c.received
	for len(b) >= 2 && (b[1] < 126 || len(b) >= 4) {
		n := frameLen(b)
		if n > len(b) {
			break
		}
		c.frame(ws.OpCode(b[0]&0xf), b[:n])
		b = b[n:]
	}
	c.received = append(c.received[:0], b...)
}

// frame is the peer's taking a whole frame.
func (c *simConn) frame(op ws.OpCode, b []byte) {
	payload := b[2:]
	if b[1] == 126 {
		payload = b[4:]
	}
	if c.said {
		c.sim.fail("%v gets a frame behind the close frame", c)
	}
	switch op {
	case ws.OpPing:
		c.answers = append(c.answers, string(payload))
	case ws.OpPong:
		n, _ := strconv.Atoi(string(payload))
		if n <= c.answered || n > c.pinged {
			c.sim.fail("%v: ping %d was answered after %d", c, n, c.answered)
		}
		c.answered = n
	case ws.OpClose:
		c.said = true
		for _, f := range c.members {
			if i := f.missing(f.owed); i >= 0 {
				c.sim.fail("%v did not get %d before the close frame", f, i)
			}
		}
	default:
		c.message(payload[0], int(binary.BigEndian.Uint32(payload[1:])))
	}
}

func (c *simConn) message(log byte, index int) {
	switch log {
	case simReply:
		c.getsReply(index)
		return
	case simPlain:
		if index > 0 && (index <= c.got || index > c.got+1 && !c.sim.engine.cfg.DropWhenSlow) {
			c.sim.fail("%v gets message %d after %d", c, index, c.got)
		}
		c.got = max(c.got, index)
		return
	}
	at := slices.IndexFunc(c.members, func(f *simFollower) bool { return f.log.id == log })
	c.members[at].gets(index)
}

// pong has a peer answer a ping.
func (s *simulation) pong() bool {
	c := s.conn()
	return c != nil && s.answer(c)
}

func (s *simulation) answer(c *simConn) bool {
	if len(c.answers) == 0 {
		return false
	}
	number, numbered := pongNumber([]byte(c.answers[0]))
	s.pings++
	if numbered && !s.arrives(c, post{kind: postPonged, conn: &c.Conn, code: uint16(number)}) {
		return false
	}
	c.answers = c.answers[1:]
	return true
}

func (s *simulation) ping() bool {
	c := s.conn()
	if c == nil {
		return false
	}
	s.pings++
	frame := appendFrame(nil, opPong, strconv.AppendInt(nil, int64(c.pinged+1), 10))
	if !s.arrives(c, post{kind: postPong, conn: &c.Conn, data: frame}) {
		return false
	}
	c.pinged++
	return true
}

// arrives has a loop do what comes of a frame of a peer's.
func (s *simulation) arrives(c *simConn, p post) bool {
	if c.stream {
		return s.put(len(p.data), "arrives", func() error { return s.loop.put(background, p) })
	}
	if c.state == stateNew || c.state == stateClosed {
		return false
	}
	s.tell("%v: arrives %d %d", c, p.kind, p.code)
	s.loop.handle(&p)
	return true
}

func (s *simulation) clientEnds() bool {
	c := s.conn()
	if c == nil || s.n(20) > 0 {
		return false
	}
	kinds := []postKind{postReadEnd, postPeerClosed, postFail}
	return s.arrives(c, post{kind: kinds[s.n(3)], conn: &c.Conn, code: codeNormal})
}
