package socket

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// stream is the transport of whatever its loop cannot poll: TLS, the connections
// of a wrapped listener, pipes, and all of them where there is no epoll. A
// goroutine reads it, and another one writes while there is an outbox.
type stream struct {
	nc      net.Conn
	early   []byte
	reading atomic.Uint32
	wrote   atomic.Uint32 // bytes; it wraps around
	intake  intake        // the loop's
}

// Values of stream.reading.
const (
	readStopped = iota
	readRunning
	readAgain // running, and asked to go on when it is about to stop
)

func newStream(nc net.Conn) *stream {
	_ = control(nc, neverBlock)
	return &stream{nc: nc}
}

func (s *stream) paused() bool { return s.reading.Load() == readStopped }

func (s *stream) took() (took bool) {
	wrote := s.wrote.Load() // before what is held, or a write meanwhile would count as taken
	_ = control(s.nc, func(fd int) {
		if held, err := heldFor(fd); err == nil {
			took = s.intake.note(wrote, held)
		}
	})
	return took
}

func (s *stream) resume(l *Loop, c *Conn, data []byte) {
	if data != nil { // reading begins
		s.early = data
	}
	if s.takeOver() {
		l.engine.spawn(func() { s.read(c) })
	}
}

// pause reports whether reading stops now; it does not when it was resumed
// meanwhile.
func (s *stream) pause() bool {
	if s.reading.CompareAndSwap(readRunning, readStopped) {
		return true
	}
	s.reading.Store(readRunning)
	return false
}

// streamBuffer is what a read needs.
type streamBuffer struct {
	inbound
	bytes [streamBytes]byte
}

var streamBuffers = sync.Pool{New: func() any { return new(streamBuffer) }}

// read is the reader goroutine.
func (s *stream) read(c *Conn) {
	early := s.early
	s.early = nil
	if len(early) > 0 && !s.take(c, early, new(inbound)) {
		return
	}
	for {
		goOn, err := s.readOnce(c)
		if err != nil {
			c.decoder.drop(c.loop.engine.cfg.Budget)
			c.tell(post{kind: postReadEnd, conn: c})
			return
		}
		if !goOn {
			return
		}
	}
}

// readOnce waits for something to read, without a buffer where it can, and reads
// it.
func (s *stream) readOnce(c *Conn) (goOn bool, err error) {
	if err := s.limit(c); err != nil {
		return false, err
	}
	err = awaitReadable(s.nc)
	b := streamBuffers.Get().(*streamBuffer)
	defer streamBuffers.Put(b)
	n := 0
	if err == nil {
		n, err = s.nc.Read(b.bytes[:])
	}
	late := errors.Is(err, os.ErrDeadlineExceeded)
	if late && c.decoder.part == nil { // endPart was for a message that is whole
		return true, s.nc.SetReadDeadline(time.Time{})
	}
	if late {
		err = nil
		if n == 0 {
			n, err = s.readLate(b.bytes[:])
		}
	}
	if n > 0 && !s.take(c, b.bytes[:n], &b.inbound) {
		return false, nil // the connection may be another reader's already
	}
	if late {
		switch {
		case c.decoder.ended():
			c.fail(errNoRoom, &b.inbound)
		case n < len(b.bytes) && c.overdue(time.Now()):
			c.fail(errTooSlow, &b.inbound)
		default:
			return true, err
		}
		c.tellAll(&b.inbound)
		return true, s.nc.SetReadDeadline(time.Time{})
	}
	return true, err
}

// lateTime is for what can be read or written at once though its deadline is over:
// nobody is judged by the time that the process itself stood still.
const lateTime = 10 * time.Millisecond

// readLate reads what came in time. That nothing did is no error.
func (s *stream) readLate(b []byte) (int, error) {
	if err := s.nc.SetReadDeadline(time.Now().Add(lateTime)); err != nil {
		return 0, err
	}
	n, err := s.nc.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

// limit sets the deadline of a message that was begun.
func (s *stream) limit(c *Conn) error {
	part := c.decoder.part
	if part == nil {
		return nil
	}
	err := s.nc.SetReadDeadline(part.deadline(&c.loop.engine.cfg, time.Now()))
	if err == nil && c.decoder.ended() { // endPart may have come before this deadline
		err = s.nc.SetReadDeadline(passed)
	}
	return err
}

// take decodes what was read, and reports whether to go on reading.
func (s *stream) take(c *Conn, b []byte, in *inbound) bool {
	hadPart := c.decoder.part != nil
	goOn := c.arrived(b, in)
	closed := in.closed
	c.tellAll(in)
	if hadPart && c.decoder.part == nil {
		_ = s.nc.SetReadDeadline(time.Time{}) // of a closed connection, which the next read tells
	}
	return !closed && (goOn || !s.pause())
}

// tellAll has the loop told of what was read.
func (c *Conn) tellAll(in *inbound) {
	for _, p := range in.posts {
		c.tell(p)
	}
	in.reset()
}

// tell posts to the loop from a stream's goroutines. The only error is that the
// loop ended, and the connection with it.
func (c *Conn) tell(p post) { _ = c.loop.put(background, p) }

// write leaves everything to the outbox.
func (*stream) write(*Loop, [][]byte) (int, error) { return 0, nil }

// drain has a goroutine empty the outbox.
func (s *stream) drain(l *Loop, c *Conn, o *outbox) {
	l.engine.spawn(func() { s.empty(c, o) })
}

var writeBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// empty is the writer goroutine.
func (s *stream) empty(c *Conn, o *outbox) {
	buf := writeBuffers.Get().(*[16 << 10]byte)
	defer writeBuffers.Put(buf)
	for {
		n := o.peek(c, buf[:])
		if n == 0 {
			finish, awaits := o.told()
			if finish {
				c.tell(post{kind: postFlushed, conn: c})
			}
			if awaits {
				c.tell(post{kind: postDrained, conn: c})
			}
			return
		}
		wrote, err := s.writeAll(c, buf[:n])
		if err != nil {
			o.abandon()
			code := uint16(codeAbnormal)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				code = c.loop.engine.cfg.SlowCloseCode
			}
			c.tell(post{kind: postBroken, conn: c, code: code})
			return
		}
		o.advance(wrote)
		s.wrote.Add(uint32(wrote))
		if wrote == len(buf) { // of much that waits the peer took something: it lives, though a ping may wait behind
			c.seen.Store(true)
		}
	}
}

// writeAll writes b, failing when nothing of it goes out for the write timeout, nor
// right behind it: checkStalled says why. That some did is of use on a plain socket
// only: TLS cannot go on after a deadline.
func (s *stream) writeAll(c *Conn, b []byte) (int, error) {
	for at := 0; at < len(b); {
		if err := s.nc.SetWriteDeadline(time.Now().Add(c.loop.engine.cfg.WriteTimeout)); err != nil {
			return at, err
		}
		n, err := s.nc.Write(b[at:])
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && isSocket(s.nc) {
			if err := s.nc.SetWriteDeadline(time.Now().Add(lateTime)); err != nil {
				return at, err
			}
			n, err = s.nc.Write(b[at:])
		}
		at += n
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !isSocket(s.nc)) {
			return at, err
		}
	}
	return len(b), s.nc.SetWriteDeadline(time.Time{})
}

// passed is a deadline that is over.
var passed = time.Unix(0, 1)

// endPart has the reader fail the connection; where there is none now, it does.
func (s *stream) endPart(l *Loop, c *Conn) {
	if s.takeOver() {
		if c.decoder.ended() {
			c.fail(errNoRoom, &l.in)
			l.follow(&l.in)
		}
		l.engine.spawn(func() { s.read(c) })
		return
	}
	l.engine.spawn(func() { _ = s.nc.SetReadDeadline(passed) }) // of a closed connection, which the reader notices
}

// takeOver makes the caller the reader if there is none. Otherwise the reader goes on
// until it notices what the caller wants.
func (s *stream) takeOver() bool {
	for {
		if s.reading.CompareAndSwap(readStopped, readRunning) {
			return true
		}
		if s.reading.CompareAndSwap(readRunning, readAgain) || s.reading.Load() == readAgain {
			return false
		}
	}
}

// closeWrite runs aside, since for TLS it writes an alert.
func (s *stream) closeWrite(l *Loop) {
	if nc, ok := s.nc.(interface{ CloseWrite() error }); ok {
		l.engine.spawn(func() {
			s.goodbye(nc.CloseWrite, func(inner net.Conn) { _ = inner.SetWriteDeadline(passed) })
		})
	}
}

// close runs aside, since closing TLS writes an alert. A reader notices, and drops what
// it holds.
func (s *stream) close(l *Loop, c *Conn) {
	if s.takeOver() {
		c.decoder.drop(l.engine.cfg.Budget)
	}
	l.engine.spawn(s.drop)
}

func (s *stream) drop() {
	_ = control(s.nc, endAtOnce)
	s.goodbye(s.nc.Close, func(inner net.Conn) { _ = inner.Close() })
}

// goodbyeTime bounds how long a peer that does not read is waited for, to tell it that TLS
// ends.
const goodbyeTime = 500 * time.Millisecond

// goodbye calls f, which writes an alert where nc is TLS, and ends the connection under it
// where f takes too long.
func (s *stream) goodbye(f func() error, end func(inner net.Conn)) {
	outer, ok := s.nc.(interface{ NetConn() net.Conn })
	if !ok {
		_ = f()
		return
	}
	ended := make(chan struct{})
	limit := time.AfterFunc(goodbyeTime, func() {
		defer close(ended)
		end(outer.NetConn())
	})
	_ = f()
	if !limit.Stop() {
		<-ended
	}
}
