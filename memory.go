package parley

import (
	"context"
	"errors"
	"hash/maphash"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MemoryLayer is a [Layer] for hubs of one process. What it keeps is gone with
// it. The zero value is ready to use; it must not be copied.
type MemoryLayer struct {
	// MaxBytes bounds what all logs hold, in bytes of data and of bookkeeping:
	// some 250 for an address and 100 for a message. Beyond, what would be kept is
	// refused with the code [Unavailable], until there is room. Default: 256 MiB.
	MaxBytes int64

	mu   sync.Mutex                    // serialises changes of hubs
	hubs atomic.Pointer[[]*memoryLink] // replaced, never changed

	start  sync.Once // sets epoch, seed, and the shards' layer
	epoch  uint64
	seed   maphash.Seed
	shards [memoryShards]memoryShard
	used   atomic.Int64 // of MaxBytes
	swept  atomic.Int64 // when all shards were searched for room, by unixNano
}

// NewMemoryLayer returns a [MemoryLayer] with the default bounds.
func NewMemoryLayer() Layer { return &MemoryLayer{} }

const (
	memoryShards   = 32
	memoryMaxBytes = 256 << 20
	sweepInterval  = time.Second
)

var (
	errMemoryFull = &Error{Unavailable, "there is no room for more messages"}
	errInboxFull  = &Error{Unavailable, "the inbox is full until its connected devices acknowledge messages"}
)

// acknowledged returns the place up to which no hub has a claim on a log, upTo at
// most.
func (l *MemoryLayer) acknowledged(of Address, upTo uint64) uint64 {
	at := Cursor{l.epoch, upTo}
	for _, h := range l.list() {
		at = h.local.Acknowledged(of, at)
	}
	return at.Seq
}

// memoryLink is a hub's end of a MemoryLayer.
type memoryLink struct {
	layer  *MemoryLayer
	local  Local
	closed atomic.Bool
}

// Attach connects a hub to the layer until the Link is closed.
func (l *MemoryLayer) Attach(local Local) Link {
	l.start.Do(func() {
		l.epoch, l.seed = max(1, rand.Uint64()), maphash.MakeSeed()
		for i := range l.shards {
			l.shards[i].init(l)
		}
	})
	link := &memoryLink{layer: l, local: local}
	l.change(func(hubs []*memoryLink) []*memoryLink { return append(hubs, link) })
	return link
}

func (l *MemoryLayer) list() []*memoryLink {
	if hubs := l.hubs.Load(); hubs != nil {
		return *hubs
	}
	return nil
}

func (l *MemoryLayer) change(f func([]*memoryLink) []*memoryLink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hubs := f(slices.Clone(l.list()))
	l.hubs.Store(&hubs)
}

func (l *MemoryLayer) shard(of Address) *memoryShard {
	return &l.shards[maphash.Comparable(l.seed, of)%memoryShards]
}

// reserve takes bytes of MaxBytes, or gives some back where they are negative,
// and reports whether there was room.
func (l *MemoryLayer) reserve(bytes int64) bool {
	if l.used.Add(bytes) <= l.maxBytes() || bytes <= 0 {
		return true
	}
	l.used.Add(-bytes)
	return false
}

func (l *MemoryLayer) maxBytes() int64 {
	if l.MaxBytes > 0 {
		return l.MaxBytes
	}
	return memoryMaxBytes
}

// sweep looks for room everywhere. It reports false where it has done so just
// now.
func (l *MemoryLayer) sweep() bool {
	now, last := unixNano(), l.swept.Load()
	if now-last < int64(sweepInterval) || !l.swept.CompareAndSwap(last, now) {
		return false
	}
	for i := range l.shards {
		l.shards[i].sweep(now)
	}
	return true
}

func (m *memoryLink) Send(ctx context.Context, e Envelope) error {
	if m.closed.Load() {
		return ErrClosed
	}
	return deliverTo(ctx, m.layer.list(), &e)
}

// deliverTo hands a message to hubs. When one ends the goroutine the others get it.
func deliverTo(ctx context.Context, hubs []*memoryLink, e *Envelope) (err error) {
	if len(hubs) == 0 {
		return nil
	}
	defer func() { err = errors.Join(err, deliverTo(ctx, hubs[1:], e)) }()
	return hubs[0].local.Deliver(ctx, *e)
}

// Subscribe has nothing to do: every hub is handed everything.
func (m *memoryLink) Subscribe(context.Context, Address) error { return m.check() }

func (m *memoryLink) Unsubscribe(Address) {}

func (m *memoryLink) Members(ctx context.Context, of Address) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		if err := m.check(); err != nil {
			yield(Member{}, err)
			return
		}
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
	online := func(h *memoryLink) bool { return h.local.LocalOnline(of) }
	return slices.ContainsFunc(m.layer.list(), online), m.check()
}

// Health returns an error while the layer is full.
func (m *memoryLink) Health() error {
	if err := m.check(); err != nil {
		return err
	}
	l := m.layer
	full := func() bool { return l.used.Load()+logCost+messageCost > l.maxBytes() }
	if full() && (!l.sweep() || full()) {
		return errMemoryFull
	}
	return nil
}

// Close waits until the shards have handed over what was appended before.
func (m *memoryLink) Close() error {
	if m.closed.Swap(true) {
		return ErrClosed
	}
	m.layer.change(func(hubs []*memoryLink) []*memoryLink {
		return slices.DeleteFunc(hubs, func(h *memoryLink) bool { return h == m })
	})
	var passed sync.WaitGroup
	for i := range m.layer.shards {
		m.layer.shards[i].flush(&passed)
	}
	passed.Wait()
	return nil
}

func (m *memoryLink) check() error {
	if m.closed.Load() {
		return ErrClosed
	}
	return nil
}
