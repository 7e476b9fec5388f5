package socket

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// holdTime bounds how long a post that promised more waits for it.
const holdTime = time.Millisecond

// postCost is what a post costs of a mailbox besides its bytes.
const postCost = 256

// mailbox is how others reach a loop: a queue with a bound in bytes. Posts that
// promise more to come (see post.more) stay in it until the rest of their batch
// is there, so that a batch leaves in one write per receiver.
type mailbox struct {
	room  *semaphore.Weighted // bytes left, first come first served
	pages *semaphore.Weighted // of those, what pages may take: others find room however many wait to be read
	limit int64
	wake  chan struct{} // holds one token when the loop should look

	mu     sync.Mutex // guards what follows
	posts  []post
	ready  int // posts[:ready] may be taken
	cost   int64
	gaps   []gap // each part once
	held   bool  // hold is running
	closed bool
	hold   *time.Timer
}

func (m *mailbox) init(limit int) {
	m.limit = int64(limit)
	m.room = semaphore.NewWeighted(m.limit)
	m.pages = semaphore.NewWeighted(m.pagesLimit())
	m.wake = make(chan struct{}, 1)
}

// put queues p. Where there is no room it waits until ctx ends; its error is
// then ctx.Err().
func (m *mailbox) put(ctx context.Context, p post) error {
	cost := m.costOf(&p)
	if !m.room.TryAcquire(cost) {
		m.release()
		if err := m.room.Acquire(ctx, cost); err != nil {
			return err
		}
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		m.room.Release(cost)
		return ErrClosed
	}
	m.posts = append(m.posts, p)
	m.cost += cost
	if p.more {
		m.startHold()
		m.mu.Unlock()
		return nil
	}
	m.ready = len(m.posts)
	m.mu.Unlock()
	m.notify()
	return nil
}

// urge queues p, which costs nothing: there is one for each connection at most. It
// never waits.
func (m *mailbox) urge(p post) {
	m.mu.Lock()
	if !m.closed {
		m.posts = append(m.posts, p)
		m.ready = len(m.posts)
	}
	m.mu.Unlock()
	m.notify()
}

// maxPages bounds the pages that wait in a mailbox: what is published waits for
// them, and readers that are ahead of their loop are of no use.
const maxPages = 128 << 10

// pagesLimit is how much of the room pages may take.
func (m *mailbox) pagesLimit() int64 { return max(1, min(m.limit/4, maxPages)) }

// pageCost returns what a page takes of it: all of it at most.
func (m *mailbox) pageCost(p *post) int64 { return min(m.costOf(p), m.pagesLimit()) }

// putPage is put for a page of a log. What it took of the pages' room is given back
// by took.
func (m *mailbox) putPage(ctx context.Context, p post) error {
	cost := m.pageCost(&p)
	if err := m.pages.Acquire(ctx, cost); err != nil {
		return err
	}
	err := m.put(ctx, p)
	if err != nil {
		m.pages.Release(cost)
	}
	return err
}

// tookPage makes room for another page.
func (m *mailbox) tookPage(p *post) { m.pages.Release(m.pageCost(p)) }

// gap is what a part of a log's topic was not handed.
type gap struct {
	part *part
	missing
}

// missing says what it was.
type missing struct {
	last    Position // the last message that found no room; zero for none
	unknown bool     // the log may hold more that nobody was handed
}

// offer queues p, a message of a log, and reports whether there was room. It does
// not wait: the loop hears of the last one that was left out of a part that is a
// log's.
func (m *mailbox) offer(p post) (room bool, err error) {
	cost := m.costOf(&p)
	room = m.room.TryAcquire(cost)
	m.mu.Lock()
	switch {
	case m.closed:
		m.mu.Unlock()
		if room {
			m.room.Release(cost)
		}
		return false, ErrClosed
	case room:
		m.posts = append(m.posts, p)
		m.cost += cost
	case p.part.log != nil:
		m.missLocked(p.part, missing{last: p.at})
	}
	m.ready = len(m.posts)
	m.mu.Unlock()
	m.notify()
	return room, nil
}

// miss has the loop hear of what a part is not handed.
func (m *mailbox) miss(p *part, what missing) {
	m.mu.Lock()
	m.missLocked(p, what)
	m.mu.Unlock()
	m.notify()
}

// missLocked is miss with mu held, without waking the loop.
func (m *mailbox) missLocked(p *part, what missing) {
	missed := &p.log.missing
	if *missed == (missing{}) {
		m.gaps = append(m.gaps, gap{part: p})
	}
	if what.last != (Position{}) {
		missed.last = what.last
	}
	missed.unknown = missed.unknown || what.unknown
}

// costOf returns what a post takes of the room there is: all of it at most.
func (m *mailbox) costOf(p *post) int64 {
	if p.kind == postEnd {
		return 0
	}
	return min(int64(len(p.data)+p.size)+postCost, m.limit)
}

// startHold bounds the wait for the rest of a batch. Called with mu held.
func (m *mailbox) startHold() {
	if m.held {
		return
	}
	m.held = true
	if m.hold == nil {
		m.hold = time.AfterFunc(holdTime, m.release)
	} else {
		m.hold.Reset(holdTime)
	}
}

// release makes everything ready: a batch ended, or took too long.
func (m *mailbox) release() {
	m.mu.Lock()
	m.held = false
	waiting := m.ready < len(m.posts)
	m.ready = len(m.posts)
	m.mu.Unlock()
	if waiting {
		m.notify()
	}
}

func (m *mailbox) notify() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take moves what is ready into buf, in order, and makes room for as much. The gaps
// came after what is taken, now or before: whoever goes by both has to learn of them
// in this order.
func (m *mailbox) take(buf []post) ([]post, []gap) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gaps := m.gaps
	m.gaps = nil
	for i := range gaps {
		gaps[i].missing, gaps[i].part.log.missing = gaps[i].part.log.missing, missing{}
	}
	if m.ready == 0 {
		return buf, gaps
	}
	if m.ready == len(m.posts) {
		buf, m.posts = m.posts, buf
		m.room.Release(m.cost)
		m.cost = 0
		if m.held && m.hold.Stop() {
			m.held = false
		}
	} else {
		buf = append(buf, m.posts[:m.ready]...)
		rest := copy(m.posts, m.posts[m.ready:])
		clear(m.posts[rest:])
		m.posts = m.posts[:rest]
		cost := int64(0)
		for i := range buf {
			cost += m.costOf(&buf[i])
		}
		m.cost -= cost
		m.room.Release(cost)
	}
	m.ready = 0
	return buf, gaps
}

// close refuses what comes from now on, and returns what waited.
func (m *mailbox) close() []post {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	posts := m.posts
	m.posts, m.ready = nil, 0
	m.room.Release(m.cost)
	m.cost = 0
	if m.hold != nil {
		m.hold.Stop()
	}
	return posts
}
