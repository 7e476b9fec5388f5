package parley

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// readers are the goroutines that read logs for memberships that are behind. There
// are few, however many memberships are; those wait in a queue for their turn, a
// page each.
type readers struct {
	wg sync.WaitGroup

	mu          sync.Mutex // guards what follows
	first, last *following
	running     int
	failing     bool // the last page could not be read
}

// add queues a membership, which is not in the queue.
func (r *readers) add(f *following) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		r.first = f
	} else {
		r.last.next = f
	}
	r.last = f
	if r.running < 2*runtime.GOMAXPROCS(0) {
		r.running++
		r.wg.Go(r.run)
	}
}

// run reads pages until none are wanted. When an Encode ends the goroutine another one
// takes its place.
func (r *readers) run() {
	over := false
	defer func() {
		if !over {
			r.wg.Go(r.run)
		}
	}()
	for {
		f := r.take()
		if f == nil {
			over = true
			return
		}
		f.turn()
		runtime.Gosched() // who is live does not wait for more than a page
	}
}

// take returns the next in the queue; where there is none the goroutine ends.
func (r *readers) take() *following {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.first
	if f == nil {
		r.running--
		return nil
	}
	r.first, f.next = f.next, nil
	return f
}

// note logs when reading begins to fail, and when it does no more.
func (r *readers) note(hub *Hub, err error) {
	if errors.Is(err, context.Canceled) { // the hub closes
		return
	}
	r.mu.Lock()
	changed := r.failing != (err != nil)
	r.failing = err != nil
	r.mu.Unlock()
	switch {
	case changed && err != nil:
		hub.log.Error("parley: kept messages cannot be read", "err", err)
	case changed:
		hub.log.Info("parley: kept messages can be read again")
	}
}

// count returns how many goroutines there are.
func (r *readers) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// close waits for the goroutines. Nothing is added any more.
func (r *readers) close() { r.wg.Wait() }
