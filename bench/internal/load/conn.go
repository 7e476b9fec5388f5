package load

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/wire"
)

type state int

const (
	connecting state = iota // the socket is not connected, or the upgrade not yet answered
	greeting                // upgraded; the dialect's own handshake is under way
	ready
	closed
)

// CloseError is the cause when a server sent a close frame.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("close code %d", e.Code)
	}
	return fmt.Sprintf("close code %d (%s)", e.Code, e.Reason)
}

// Conn is one client's connection.
type Conn struct {
	// Index is the connection's place among those of its Loop, in the order of dialling.
	Index int

	// Pongs counts the answers to Ping.
	Pongs int

	loop    *Loop
	dialect dialect.Dialect
	fd      int
	state   state
	rest    []byte // the beginning of a frame whose end has not come
	out     []byte // what is to be written
	written int    // how much of out the kernel has
	dirty   bool   // is in the loop's list
	blocked bool   // waits for the socket to become writable
	paused  bool
}

// Open says whether the connection can be used.
func (c *Conn) Open() bool { return c.state == ready }

// Backlog is the number of bytes queued and not yet taken by the kernel.
func (c *Conn) Backlog() int { return len(c.out) - c.written }

// Send queues a message, to be written when the loop next steps. On a closed connection it does nothing.
func (c *Conn) Send(message []byte) {
	c.loop.scratch = c.dialect.Append(c.loop.scratch[:0], message)
	c.queue(wire.Text, c.loop.scratch)
}

// Ping queues a ping frame.
func (c *Conn) Ping() { c.queue(wire.Ping, nil) }

// Pause stops reading: what the server sends fills the kernel's buffers.
func (c *Conn) Pause() error {
	c.paused = true
	return c.loop.control(unix.EPOLL_CTL_DEL, c, 0)
}

// Resume reads again.
func (c *Conn) Resume() error {
	c.paused = false
	return c.loop.control(unix.EPOLL_CTL_ADD, c, unix.EPOLLIN)
}

// Close resets the connection at once; the loop's handler is not told.
func (c *Conn) Close() {
	if c.state == closed {
		return
	}
	c.state = closed
	c.loop.conns[c.fd] = nil
	// Neither call can fail on a socket of our own in a way that matters. A reset leaves no TIME_WAIT behind, which would use up ports.
	_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(c.fd)
}

func (c *Conn) fail(cause error) {
	was := c.state
	c.Close()
	switch was {
	case connecting, greeting:
		c.loop.dialer.failed(cause)
	case ready:
		c.loop.handler.Closed(c, cause)
	}
}

func (c *Conn) queue(op byte, payload []byte) {
	if c.state == closed {
		return
	}
	c.out = wire.AppendFrame(c.out, op, payload)
	c.markDirty()
}

func (c *Conn) markDirty() {
	if !c.dirty && !c.blocked {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

func (c *Conn) write() {
	if c.state == closed || len(c.out) == c.written {
		c.unblock()
		return
	}
	n, errno := writeFD(c.fd, c.out[c.written:])
	switch {
	case errno == unix.EAGAIN:
		c.block()
		return
	case errno != 0:
		c.fail(fmt.Errorf("write: %w", errno))
		return
	}
	c.written += n
	if c.written < len(c.out) {
		c.block()
		return
	}
	c.out, c.written = c.out[:0], 0
	c.unblock()
}

func (c *Conn) block() { c.wantWritable(true) }

func (c *Conn) unblock() { c.wantWritable(false) }

func (c *Conn) wantWritable(want bool) {
	if c.blocked == want || c.paused || c.state == closed {
		return
	}
	events := uint32(unix.EPOLLIN)
	if want {
		events |= unix.EPOLLOUT
	}
	if err := c.loop.control(unix.EPOLL_CTL_MOD, c, events); err != nil {
		c.fail(err)
		return
	}
	c.blocked = want
}

func (c *Conn) read() {
	buf := c.loop.buf
	kept := copy(buf, c.rest)
	n, errno := readFD(c.fd, buf[kept:])
	switch {
	case errno == unix.EAGAIN:
		return
	case errno != 0:
		c.fail(fmt.Errorf("read: %w", errno))
		return
	case n == 0:
		c.fail(io.EOF)
		return
	}
	c.loop.ReadAt = c.loop.Now()
	c.consume(buf[:kept+n])
}

// consume handles all whole frames of b and keeps the rest.
func (c *Conn) consume(b []byte) {
	if c.state == connecting {
		n, err := wire.ParseResponse(b)
		if err != nil {
			c.fail(err)
			return
		}
		if n > 0 {
			c.upgraded()
		}
		b = b[n:]
	}
	for c.state == greeting || c.state == ready {
		frame, n, err := wire.Next(b)
		if err != nil {
			c.fail(err)
			return
		}
		if n == 0 {
			break
		}
		b = b[n:]
		c.frame(frame)
	}
	c.rest = append(c.rest[:0], b...)
}

func (c *Conn) upgraded() {
	c.state = greeting
	if c.dialect.ReadyOnUpgrade() {
		c.admit()
	}
}

func (c *Conn) admit() {
	c.state = ready
	c.loop.dialer.admitted()
}

func (c *Conn) frame(f wire.Frame) {
	switch f.Op {
	case wire.Text, wire.Binary:
		c.text(f.Payload)
	case wire.Ping:
		c.queue(wire.Pong, f.Payload)
	case wire.Pong:
		c.Pongs++
	case wire.Close:
		c.answerClose(f.Payload)
	}
}

func (c *Conn) text(payload []byte) {
	kind, reply := c.dialect.Classify(payload)
	if reply != nil {
		c.queue(wire.Text, reply)
	}
	switch kind {
	case dialect.Message:
		c.loop.handler.Message(c, payload)
	case dialect.Ready:
		c.admit()
	}
}

func (c *Conn) answerClose(payload []byte) {
	c.queue(wire.Close, payload[:min(len(payload), 2)])
	c.write()
	if c.state == closed {
		return
	}
	reason := ""
	if len(payload) > 2 {
		reason = string(payload[2:])
	}
	c.fail(&CloseError{Code: wire.CloseCode(payload), Reason: reason})
}
