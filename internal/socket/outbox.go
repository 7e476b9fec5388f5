package socket

import (
	"bytes"
	"sync"
	"time"
)

// outbox holds what the kernel did not take of one connection. It is emptied as
// the peer takes it: by the loop, or by a stream's writer goroutine. While a
// connection has one, all it is sent goes through it.
type outbox struct {
	held  bool      // until the connection is accepted; owned by the loop
	since time.Time // when something was taken last; owned by the loop, and only used where it drains

	mu     sync.Mutex // guards what follows
	queue  [][]byte   // shared memory: never written to
	bytes  int        // in queue, with entryCost for each entry
	spare  int        // bytes beyond the bound, for kept frames that were queued in spite of it
	pong   []byte     // the answer to the last ping, where it has no room yet
	ahead  int        // bytes of the queue, without entryCost, that are written before pong is queued
	done   bool       // it was emptied, and takes nothing more
	failed bool       // writing failed; what the outbox takes is dropped
	finish bool       // the loop wants to know that it is empty: our close frame is in it
	awaits bool       // the loop wants to know that it is empty: a follower is to read
}

// exempt gives what follows as much room as if the kept frames of n bytes that were
// queued last were not: a slow peer that is sent such must be able to be answered as well.
func (o *outbox) exempt(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.spare = min(o.bytes, o.spare+n+entryCost)
}

// exempted returns how much is exempt.
func (o *outbox) exempted() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.spare
}

// add queues b whatever the bound. False: the outbox was emptied already. After
// the last one, a close frame, the loop is told once all is written, or that it
// cannot be.
func (o *outbox) add(b []byte, last bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return false
	}
	if last && o.pong != nil {
		o.push(o.pong)
		o.pong = nil
	}
	if len(b) > 0 && !o.failed {
		o.push(b)
	}
	o.finish = o.finish || last
	return true
}

// offer queues the frames of b that fit under the bound, the first one in any
// case where nothing is queued that is not exempt, and returns the rest. The queue may be
// full of what the peer reads as it should, so a ping is queued in any case, there are few;
// and a pong that does not fit waits for what is queued, unless one for a later ping
// replaces it (RFC 6455, section 5.5.3). b is a piece of a buffer of so many shared
// bytes. Not ok: the outbox was emptied already.
func (o *outbox) offer(b []byte, bound, shared int) (rest []byte, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.done:
		return b, false
	case o.failed || len(b) == 0:
		return nil, true
	}
	room := bound + o.spare - o.bytes - entryCost
	if o.bytes <= o.spare || isPing(b) {
		room = max(room, frameLen(b))
	}
	if isPong(b) && (o.pong != nil || len(b) > room) {
		o.wait(b)
		return nil, true
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

// wait keeps a pong until what is queued now, or was when the first one had to wait,
// is written. Called with mu held.
func (o *outbox) wait(pong []byte) {
	if o.pong == nil {
		o.ahead = o.bytes - entryCost*len(o.queue)
	}
	o.pong = pong
}

// await has the loop told once all is written, and reports whether there is
// anything.
func (o *outbox) await() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.awaits = !o.done
	return o.awaits
}

// size returns how much is queued.
func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
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

// peek copies the start of the queue into buf. Where there is nothing the outbox
// is done, and no longer that of c.
func (o *outbox) peek(c *Conn, buf []byte) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range o.queue {
		if n += copy(buf[n:], b); n == len(buf) {
			break
		}
	}
	if n == 0 && !o.failed {
		o.done = true
		c.out.Store(nil)
	}
	return n
}

// told returns what the loop wants to know of an outbox that is empty.
func (o *outbox) told() (finish, awaits bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.finish, o.awaits
}

// advance forgets n bytes that were written.
func (o *outbox) advance(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ahead -= n; o.pong != nil && o.ahead <= 0 && !o.failed {
		o.push(o.pong)
		o.pong = nil
	}
	for n > 0 && !o.failed {
		k := min(n, len(o.queue[0]))
		n -= k
		o.bytes -= k
		if o.queue[0] = o.queue[0][k:]; len(o.queue[0]) == 0 {
			o.queue[0] = nil
			o.queue = o.queue[1:]
			o.bytes -= entryCost
		}
	}
	o.spare = min(o.spare, o.bytes)
}

// abandon drops what is queued after a failed write, or the end. The write side
// stays the outbox's: a frame may be cut.
func (o *outbox) abandon() {
	o.mu.Lock()
	o.queue, o.pong, o.failed = nil, nil, true
	o.mu.Unlock()
}
