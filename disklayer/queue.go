package disklayer

import (
	"context"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// item is an append on its way.
type item struct {
	e      parley.Envelope
	done   func(parley.Sent, error)
	link   *link
	log    *logState // pinned
	keep   parley.Retention
	at     mark
	sent   int64  // when, by the wall clock: Unix time in nanoseconds
	claim  *claim // where e has a key
	sum    digest // of the data, where e has a key
	repeat bool   // of the message that the claim is for
	grown  int64  // by how much the log's tail grew
	err    error
}

// job is a change of the store other than an append. It runs on the committer.
type job struct {
	run  func(*pebble.Batch)
	sync bool
	done chan struct{} // closed once it can be read, and where sync, once it is safe; or once the store failed
}

// What is queued, from Append to its end, is bounded in bytes.
const (
	queueBytes = 32 << 20
	batchBytes = 2 << 20 // that much is committed at once
	itemBytes  = 400     // of an item besides its data
)

func (it *item) size() int { return itemBytes + len(it.e.Data) + len(it.e.Key) }

// queue is what waits for the committer.
type queue struct {
	mu     sync.Mutex
	some   sync.Cond
	items  []item
	jobs   []job
	bytes  int           // of all items whose end is not reached
	room   chan struct{} // closed when there is room; nil while nobody waits
	closed error
}

func (q *queue) init() { q.some.L = &q.mu }

// push adds an item. It waits for room until ctx ends.
func (q *queue) push(ctx context.Context, it *item) error {
	size := it.size()
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.closed == nil && q.bytes > 0 && q.bytes+size > queueBytes {
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
			q.mu.Lock()
		case <-ctx.Done():
			q.mu.Lock()
			return unavailable("too much is waiting to be kept", ctx.Err())
		}
	}
	if q.closed != nil {
		return q.closed
	}
	q.items = append(q.items, *it)
	q.bytes += size
	if len(q.items) == 1 {
		q.some.Signal()
	}
	return nil
}

// add adds a job, and reports whether it will run.
func (q *queue) add(j job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return false
	}
	q.jobs = append(q.jobs, j)
	q.some.Signal()
	return true
}

// take moves what waits to f. It returns false once the queue is closed and
// empty.
func (q *queue) take(f *flight) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) == 0 && len(q.jobs) == 0 {
		if q.closed != nil {
			return false
		}
		q.some.Wait()
	}
	f.jobs, q.jobs = q.jobs, f.jobs
	n, size := 0, 0
	for n < len(q.items) && size < batchBytes {
		size += q.items[n].size()
		n++
	}
	if f.size = size; n == len(q.items) {
		f.items, q.items = q.items, f.items
		return true
	}
	f.items = append(f.items, q.items[:n]...)
	rest := copy(q.items, q.items[n:])
	clear(q.items[rest:])
	q.items = q.items[:rest]
	return true
}

// release makes room of items whose end is reached.
func (q *queue) release(size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= size
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// close refuses what comes from now on, for a reason.
func (q *queue) close(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return
	}
	q.closed = why
	q.some.Signal()
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}
