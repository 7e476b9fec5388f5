package layertest_test

import (
	"context"
	"runtime"
	"sync"

	"github.com/parley-rt/parley"
)

// strange is a layer that is as unlike a memory layer as it may be: there are
// gaps between its places, what is appended is kept late, results and messages come
// later and apart from each other, only to who subscribed, and it survives the end
// of its links.
type strange struct {
	kept  parley.Layer
	mu    sync.Mutex // guards links
	links []*strangeLink
}

// strangeLink is a hub's end of a strange layer.
type strangeLink struct {
	parley.Link
	hub     *strangeHub
	room    chan struct{} // holds one for each append under way
	appends late
	results late
}

// strangeHub is a hub as the layer below sees it.
type strangeHub struct {
	parley.Local
	handed late

	mu   sync.Mutex // guards subs
	subs map[parley.Address]int
}

const gap, offset = 7, 3

// outer returns a Seq of the strange layer.
func outer(seq uint64) uint64 { return seq*gap + offset }

func outerCursor(c parley.Cursor) parley.Cursor {
	if !c.IsZero() {
		c.Seq = outer(c.Seq)
	}
	return c
}

// innerCursor returns a place of the layer below.
func innerCursor(c parley.Cursor) parley.Cursor {
	switch {
	case c.Seq > 1<<63:
	case c.Seq <= offset:
		c.Seq = 0
	default:
		c.Seq = (c.Seq - offset + gap - 1) / gap
	}
	return c
}

func outerEnvelope(e parley.Envelope) parley.Envelope {
	e.Cursor, e.Prev = outerCursor(e.Cursor), outer(e.Prev)
	return e
}

func (s *strange) Attach(local parley.Local) parley.Link {
	hub := &strangeHub{Local: local, subs: make(map[parley.Address]int)}
	l := &strangeLink{Link: s.kept.Attach(hub), hub: hub, room: make(chan struct{}, 100)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = append(s.links, l)
	return l
}

// reopen has no link told anything any more, and returns a layer of the same
// logs.
func (s *strange) reopen() parley.Layer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		l.appends.kill()
		l.results.kill()
		l.hub.handed.kill()
		_ = l.Close()
	}
	s.links = nil
	return s
}

func (h *strangeHub) Deliver(ctx context.Context, e parley.Envelope) error {
	switch {
	case e.Cursor.IsZero():
		return h.Local.Deliver(ctx, e)
	case h.subscribed(e.To, 0):
		h.handed.do(func() { _ = h.Local.Deliver(ctx, outerEnvelope(e)) })
	}
	return nil
}

// Acknowledged is told of places of this layer, and tells of those below.
func (h *strangeHub) Acknowledged(of parley.Address, upTo parley.Cursor) parley.Cursor {
	at := h.Local.Acknowledged(of, outerCursor(upTo))
	return parley.Cursor{Epoch: upTo.Epoch, Seq: (max(at.Seq, offset) - offset) / gap}
}

// subscribed counts subscriptions, and reports whether there are any.
func (h *strangeHub) subscribed(to parley.Address, more int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[to] += more
	return h.subs[to] > 0
}

func (l *strangeLink) Subscribe(ctx context.Context, to parley.Address) error {
	l.hub.subscribed(to, +1)
	return l.Link.Subscribe(ctx, to)
}

func (l *strangeLink) Unsubscribe(to parley.Address) { l.hub.subscribed(to, -1) }

func (l *strangeLink) Append(ctx context.Context, e parley.Envelope, done func(parley.Sent, error)) error {
	select {
	case l.room <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	told := func(s parley.Sent, err error) {
		s.Cursor = outerCursor(s.Cursor)
		l.results.do(func() { done(s, err) })
		<-l.room
	}
	kept := l.appends.do(func() {
		if err := l.Link.Append(context.WithoutCancel(ctx), e, told); err != nil {
			told(parley.Sent{}, err)
		}
	})
	if !kept {
		<-l.room
		return parley.ErrClosed
	}
	return nil
}

func (l *strangeLink) Head(ctx context.Context, of parley.Address) (parley.Cursor, error) {
	c, err := l.Link.Head(ctx, of)
	return outerCursor(c), err
}

func (l *strangeLink) ReadAfter(ctx context.Context, of parley.Address, after parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	p, err := l.Link.ReadAfter(ctx, of, innerCursor(after), limit)
	return outerPage(p), err
}

func (l *strangeLink) ReadBefore(ctx context.Context, of parley.Address, before parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	p, err := l.Link.ReadBefore(ctx, of, innerCursor(before), limit)
	return outerPage(p), err
}

func outerPage(p parley.Page) parley.Page {
	p.Cursor = outerCursor(p.Cursor)
	for i, e := range p.Messages {
		p.Messages[i] = outerEnvelope(e)
	}
	return p
}

func (l *strangeLink) Cursors(ctx context.Context, of parley.Address) (map[string]parley.Cursor, error) {
	named, err := l.Link.Cursors(ctx, of)
	for name, c := range named {
		named[name] = outerCursor(c)
	}
	return named, err
}

func (l *strangeLink) Introduce(ctx context.Context, of parley.Address, name string, at parley.Cursor) error {
	return l.Link.Introduce(ctx, of, name, innerCursor(at))
}

func (l *strangeLink) Advance(of parley.Address, name string, to parley.Cursor) {
	l.Link.Advance(of, name, innerCursor(to))
}

func (l *strangeLink) Close() error {
	l.appends.wait()
	err := l.Link.Close()
	l.results.wait()
	l.hub.handed.wait()
	return err
}

// late calls functions in order, some time after.
type late struct {
	mu      sync.Mutex // guards what follows; calls are added with it held
	running bool
	dead    bool
	over    bool
	queue   []func()
	calls   sync.WaitGroup

	taken []func() // of the queue, not called yet; owned by run
}

// do has a function be called, and reports false where that is over.
func (l *late) do(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.queue = append(l.queue, f)
	if !l.running {
		l.running = true
		l.calls.Go(l.run)
	}
	return true
}

// run goes on with another goroutine where a function ends this one.
func (l *late) run() {
	over := false
	defer func() {
		if !over {
			l.calls.Go(l.run)
		}
	}()
	for {
		for len(l.taken) > 0 {
			f := l.taken[0]
			l.taken = l.taken[1:]
			f()
		}
		for range 10 {
			runtime.Gosched()
		}
		l.mu.Lock()
		l.taken, l.queue = l.queue, nil
		if l.dead || len(l.taken) == 0 {
			l.taken = nil
			l.running, over = false, true
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
	}
}

// kill drops what was not called yet.
func (l *late) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
}

// wait waits for what is to be called, and ends that.
func (l *late) wait() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.calls.Wait()
}
