package parley

import (
	"context"
	"sync"
	"time"

	"github.com/parley-rt/parley/internal/lean"
)

// memoryShard holds the logs of some addresses, and hands over what is appended
// to them on a goroutine of its own, which runs from the first append to the end
// of the last link.
type memoryShard struct {
	layer *MemoryLayer

	mu    sync.Mutex // guards all that follows, except run's own
	logs  lean.Map[Address, *memoryLog]
	order []*memoryLog // the same, in no order: sweeping goes through them
	hand  int          // the next of order to look at
	floor uint64       // the furthest head of a log that was forgotten: new ones begin there, so that no place comes back
	keys  memoryKeys

	work    sync.Cond // a queue that was empty is not, any more
	running bool
	queue   []memoryPost
	size    int           // bytes of data in queue
	room    chan struct{} // if not nil, closed when the queue is taken

	// Owned by the goroutine of run.
	batch []memoryPost // taken from the queue
	next  int          // the index in batch of the post to hand over
}

// memoryPost is a message to hand over, or the result of one that is not.
type memoryPost struct {
	Envelope
	done   func(Sent, error)
	err    error
	repeat bool // hubs don't get it
}

// Appends wait while the queue of their shard is as long.
const (
	maxQueue      = 256
	maxQueueBytes = 1 << 20
)

func (s *memoryShard) init(layer *MemoryLayer) {
	s.layer = layer
	s.work.L = &s.mu
}

// waitRoom waits until the queue has room, or ctx ends. The caller holds mu,
// which is unlocked meanwhile.
func (s *memoryShard) waitRoom(ctx context.Context) error {
	for len(s.queue) >= maxQueue || s.size >= maxQueueBytes {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		room := s.room
		s.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// enqueue has a post handed over. The caller holds mu.
func (s *memoryShard) enqueue(p *memoryPost) {
	s.queue = append(s.queue, *p)
	s.size += len(p.Data)
	switch {
	case !s.running:
		s.running = true
		go s.run()
	case len(s.queue) == 1:
		s.work.Signal()
	}
}

// run hands over what is queued, in order. When a call ends the goroutine another one
// goes on behind it.
func (s *memoryShard) run() {
	over := false
	defer func() {
		if !over {
			go s.run()
		}
	}()
	for !over {
		for s.next < len(s.batch) {
			p := &s.batch[s.next]
			s.next++
			s.handOver(p)
		}
		over = !s.take()
	}
}

// take waits for posts and takes the queue. It returns false after the last link
// ended.
func (s *memoryShard) take() bool {
	clear(s.batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 {
		if len(s.layer.list()) == 0 {
			s.running, s.batch, s.next = false, nil, 0
			return false
		}
		s.work.Wait()
	}
	s.batch, s.queue = s.queue, s.batch[:0]
	s.next, s.size = 0, 0
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
	return true
}

func (s *memoryShard) handOver(p *memoryPost) {
	defer p.done(Sent{p.Cursor, p.Time}, p.err)
	if !p.repeat {
		_ = deliverTo(context.Background(), s.layer.list(), &p.Envelope) // a hub that did not take it reads it later
	}
}

// flush has passed wait until all that is queued was handed over.
func (s *memoryShard) flush(passed *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		passed.Add(1)
		s.enqueue(&memoryPost{repeat: true, done: func(Sent, error) { passed.Done() }})
	}
}

// find returns the log of an address, nil where there is none, without what is
// too old. The caller holds mu.
func (s *memoryShard) find(of Address, now int64) *memoryLog {
	log := s.logs.Get(of)
	if log != nil {
		s.layer.reserve(-log.expire(now))
	}
	return log
}

// add makes a log one of the shard's, if it is not yet. The caller holds mu.
func (s *memoryShard) add(log *memoryLog) {
	if s.logs.Get(log.address) == log {
		return
	}
	s.logs.Set(log.address, log)
	s.order = append(s.order, log)
}

// step looks at one log, so that those which nobody appends to any more are
// forgotten as others are appended to. The caller holds mu.
func (s *memoryShard) step(now int64) {
	if s.hand >= len(s.order) {
		s.hand = 0
	}
	if len(s.order) > 0 && !s.forget(s.hand, now, false) {
		s.hand++
	}
}

// forget drops what is too old of a log, and the log where that is all. Where the layer is
// full it does so though a user is to be told of that. The caller holds mu.
func (s *memoryShard) forget(i int, now int64, full bool) bool {
	log := s.order[i]
	s.layer.reserve(-log.expire(now))
	if !log.empty() || !full && log.owes(now) {
		return false
	}
	s.floor = max(s.floor, log.head)
	s.layer.reserve(-log.cost())
	s.logs.Delete(log.address)
	last := len(s.order) - 1
	s.order[i], s.order[last] = s.order[last], nil
	s.order = s.order[:last]
	if cap(s.order) >= 64 && last <= cap(s.order)/4 {
		s.order = append(make([]*memoryLog, 0, 2*last), s.order...)
	}
	return true
}

// sweep forgets all that is too old.
func (s *memoryShard) sweep(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.layer.reserve(-s.keys.expire(now))
	for i := len(s.order) - 1; i >= 0; i-- {
		s.forget(i, now, true)
	}
}

// head returns the place of the newest message of a log, or nil. The caller
// holds mu.
func (s *memoryShard) head(log *memoryLog) Cursor {
	if log == nil {
		return Cursor{s.layer.epoch, s.floor}
	}
	return Cursor{s.layer.epoch, log.head}
}

var started = time.Now()

// unixNano returns a time that no change of the machine's clock moves, as Unix time in
// nanoseconds: what is kept, claimed or remembered grows old by it.
func unixNano() int64 { return steady(time.Now()) }

func steady(now time.Time) int64 { return started.UnixNano() + int64(now.Sub(started)) }
