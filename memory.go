package parley

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// NewMemoryLayer returns a Layer for hubs of one process. It keeps nothing.
func NewMemoryLayer() Layer { return &memoryLayer{} }

type memoryLayer struct {
	mu   sync.Mutex                    // serialises changes of hubs
	hubs atomic.Pointer[[]*memoryLink] // replaced, never changed
}

type memoryLink struct {
	layer *memoryLayer
	local Local
}

func (l *memoryLayer) list() []*memoryLink {
	if hubs := l.hubs.Load(); hubs != nil {
		return *hubs
	}
	return nil
}

func (l *memoryLayer) change(f func([]*memoryLink) []*memoryLink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hubs := f(slices.Clone(l.list()))
	l.hubs.Store(&hubs)
}

func (l *memoryLayer) Attach(local Local) Link {
	link := &memoryLink{l, local}
	l.change(func(hubs []*memoryLink) []*memoryLink { return append(hubs, link) })
	return link
}

func (m *memoryLink) Close() error {
	m.layer.change(func(hubs []*memoryLink) []*memoryLink {
		return slices.DeleteFunc(hubs, func(h *memoryLink) bool { return h == m })
	})
	return nil
}

func (m *memoryLink) Send(ctx context.Context, e Envelope) error {
	var errs error
	for _, h := range m.layer.list() {
		if err := h.local.Deliver(ctx, e); err != nil {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

func (m *memoryLink) Members(ctx context.Context, of Address) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		for _, h := range m.layer.list() {
			members, err := h.local.LocalMembers(ctx, of)
			if err != nil {
				yield(Member{}, err)
				return
			}
			for _, member := range members {
				if !yield(member, nil) {
					return
				}
			}
		}
	}
}

func (m *memoryLink) Online(_ context.Context, of Address) (bool, error) {
	return slices.ContainsFunc(m.layer.list(), func(h *memoryLink) bool { return h.local.LocalOnline(of) }), nil
}

func (m *memoryLink) Subscribe(context.Context, Address) error { return nil }
func (m *memoryLink) Unsubscribe(Address)                      {}
func (m *memoryLink) Append(context.Context, Envelope, func(Sent, error)) error {
	return errors.ErrUnsupported
}

func (m *memoryLink) Head(context.Context, Address) (Cursor, error) {
	return Cursor{}, errors.ErrUnsupported
}

func (m *memoryLink) ReadAfter(context.Context, Address, Cursor, PageLimit) (Page, error) {
	return Page{}, errors.ErrUnsupported
}

func (m *memoryLink) ReadBefore(context.Context, Address, Cursor, PageLimit) (Page, error) {
	return Page{}, errors.ErrUnsupported
}

func (m *memoryLink) Cursors(context.Context, Address) (map[string]Cursor, error) {
	return nil, errors.ErrUnsupported
}
func (m *memoryLink) Advance(Address, string, Cursor) {}
func (m *memoryLink) Health() error                   { return nil }
