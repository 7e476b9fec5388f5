package server_test

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/parley-rt/parley"
)

// testLayer is a memory layer that can have appends wait or fail, and be ill.
type testLayer struct {
	parley.Layer
	appends atomic.Int64
	health  atomic.Pointer[error]

	mu    sync.Mutex // guards what follows
	moved sync.Cond
	held  parley.Address
	dones []func(error)
}

func newTestLayer() *testLayer {
	l := &testLayer{Layer: parley.NewMemoryLayer()}
	l.moved.L = &l.mu
	return l
}

func (l *testLayer) Attach(local parley.Local) parley.Link {
	return &testLink{l.Layer.Attach(local), l}
}

// hold has what is appended to an address from now on wait.
func (l *testLayer) hold(to parley.Address) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = to
}

// wait waits until n appends wait.
func (l *testLayer) wait(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.dones) < n {
		l.moved.Wait()
	}
}

// release ends the wait of at least one append, with an error or without.
func (l *testLayer) release(err error) {
	l.wait(1)
	l.mu.Lock()
	dones := l.dones
	l.dones, l.held = nil, parley.Address{}
	l.mu.Unlock()
	for _, done := range dones {
		done(err)
	}
}

type testLink struct {
	parley.Link
	layer *testLayer
}

func (l *testLink) Health() error {
	if err := l.layer.health.Load(); err != nil {
		return *err
	}
	return l.Link.Health()
}

func (l *testLink) Append(ctx context.Context, e parley.Envelope, done func(parley.Sent, error)) error {
	l.layer.appends.Add(1)
	l.layer.mu.Lock()
	defer l.layer.mu.Unlock()
	if e.To != l.layer.held {
		return l.Link.Append(ctx, e, done)
	}
	l.layer.dones = append(l.layer.dones, func(err error) {
		if err == nil {
			err = l.Link.Append(context.WithoutCancel(ctx), e, done)
		}
		if err != nil {
			done(parley.Sent{}, err)
		}
	})
	l.layer.moved.Broadcast()
	return nil
}
