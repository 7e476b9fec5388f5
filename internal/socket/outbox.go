package socket

import (
	"bytes"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// outbox holds what the kernel did not take of one connection, and is emptied
// by a goroutine that lives only as long. While a connection has one, its loop
// writes nothing itself.
type outbox struct {
	mu     sync.Mutex // guards what follows
	queue  [][]byte   // shared memory: never written to
	bytes  int        // in queue, with entryCost for each entry, and being written
	done   bool       // the writer ended; the outbox takes nothing more
	failed bool       // writing failed; what the outbox takes is dropped
	finish bool       // tell the loop once the queue is empty
}

// add queues b whatever the bound. False: the writer has ended. After the last
// one, a close frame, the loop is told once all is written, or that it cannot be.
func (o *outbox) add(b []byte, last bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return false
	}
	if len(b) > 0 && !o.failed {
		o.push(b)
	}
	o.finish = o.finish || last
	return true
}

// offer queues the frames of b that fit under the bound, the first one in any
// case where nothing is queued, and returns the rest. b is a piece of a buffer of
// so many shared bytes.
func (o *outbox) offer(b []byte, bound, shared int) (rest []byte, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.done:
		return b, false
	case o.failed || len(b) == 0:
		return nil, true
	}
	room := bound - o.bytes - entryCost
	if o.bytes == 0 {
		room = max(room, frameLen(b))
	}
	if len(b) <= room {
		room = len(b)
	} else {
		room = wholeFrames(b, room)
	}
	if room > 0 {
		o.push(piece(b[:room], shared))
	}
	return b[room:], true
}

// entryCost is what an entry of the queue costs besides its bytes.
const entryCost = 64

// push queues b. Called with mu held.
func (o *outbox) push(b []byte) {
	o.queue = append(o.queue, b)
	o.bytes += len(b) + entryCost
}

// piece returns what to queue of a shared buffer: b itself, or a copy where b is
// so small a part that it would keep alive a multiple of what the bound counts.
func piece(b []byte, shared int) []byte {
	if 2*len(b) < shared {
		return bytes.Clone(b)
	}
	return b
}

// wholeFrames returns the length of the frames at the start of b that fit in n.
func wholeFrames(b []byte, n int) int {
	end := 0
	for end < len(b) {
		next := end + frameLen(b[end:])
		if next > n {
			break
		}
		end = next
	}
	return end
}

// next moves up to len(buf) queued bytes into buf. When none are left the
// writer's time is over, and the loop owns the write side again.
func (o *outbox) next(c *Conn, buf []byte) (n int, finish bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) > 0 && n < len(buf) {
		k := copy(buf[n:], o.queue[0])
		n += k
		if o.queue[0] = o.queue[0][k:]; len(o.queue[0]) == 0 {
			o.queue[0] = nil
			o.queue = o.queue[1:]
			o.bytes -= entryCost
		}
	}
	if n == 0 {
		o.done = true
		c.out.Store(nil)
	}
	return n, o.finish
}

func (o *outbox) wrote(n int) {
	o.mu.Lock()
	o.bytes -= n
	o.mu.Unlock()
}

// abandon drops what is queued after a failed write. The write side stays the
// outbox's: a frame may be cut.
func (o *outbox) abandon() {
	o.mu.Lock()
	o.queue, o.failed = nil, true
	o.mu.Unlock()
}

var writeBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// drain is the writer goroutine.
func (c *Conn) drain(o *outbox) {
	buf := writeBuffers.Get().(*[16 << 10]byte)
	defer writeBuffers.Put(buf)
	for {
		n, finish := o.next(c, buf[:])
		if n == 0 {
			if finish {
				c.tell(post{kind: postFlushed, conn: c})
			}
			return
		}
		if err := c.writeAll(buf[:n]); err != nil {
			o.abandon()
			code := uint16(codeAbnormal)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				code = c.loop.engine.cfg.SlowCloseCode
			}
			c.tell(post{kind: postBroken, conn: c, code: code})
			return
		}
		o.wrote(n)
	}
}

// writeAll writes b, failing when nothing of it goes out for the write timeout.
func (c *Conn) writeAll(b []byte) error {
	for len(b) > 0 {
		err := c.nc.SetWriteDeadline(time.Now().Add(c.loop.engine.cfg.WriteTimeout))
		if err != nil {
			return err
		}
		n, err := c.nc.Write(b)
		b = b[n:]
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) || !partialOK(c.nc)) {
			return err
		}
	}
	return c.nc.SetWriteDeadline(time.Time{})
}

// partialOK reports whether writing may go on after a deadline passed in the
// middle: for TLS it corrupts the stream.
func partialOK(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}
