package socket

import (
	"slices"
	"sync"
	"testing"
)

// recorder is a Handler that tells a test what happens. Its functions may be
// nil; they run where the engine calls them, and must not block.
type recorder struct {
	receive func([]Message) bool
	deliver func(any) bool
	peer    func(code uint16)
	closed  chan uint16 // gets the code of Closed

	mu      sync.Mutex // guards what follows
	closing int        // how often Closing was called
	members []*Membership
}

func newRecorder() *recorder { return &recorder{closed: make(chan uint16, 2)} }

func (r *recorder) Receive(messages []Message) bool { return r.receive == nil || r.receive(messages) }

func (r *recorder) PeerClose(code uint16, _ string) {
	if r.peer != nil {
		r.peer(code)
	}
}

func (r *recorder) Deliver(value any) bool { return r.deliver == nil || r.deliver(value) }

func (r *recorder) Closing() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closing++
	for _, m := range r.members {
		m.Forget()
	}
	r.members = nil
}

func (r *recorder) Closed(code uint16, _ error) { r.closed <- code }

// closings returns how often Closing was called.
func (r *recorder) closings() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closing
}

// join joins c, whose handler r is, to a topic, unless it is over.
func (r *recorder) join(t *testing.T, c *Conn, to *Topic) *Membership {
	t.Helper()
	m := &Membership{}
	r.mu.Lock()
	over := r.closing > 0
	if !over {
		m.Init(c, to)
		r.members = append(r.members, m)
	}
	r.mu.Unlock()
	if !over {
		check(t, m.Join())
	}
	return m
}

// leave ends a membership that join began, unless the connection is over.
func (r *recorder) leave(t *testing.T, m *Membership) {
	t.Helper()
	r.mu.Lock()
	at := slices.Index(r.members, m)
	if at >= 0 {
		r.members = slices.Delete(r.members, at, at+1)
	}
	r.mu.Unlock()
	if at >= 0 {
		check(t, m.Leave())
	}
}
