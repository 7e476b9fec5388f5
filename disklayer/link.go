package disklayer

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parley-rt/parley"
)

// link is one hub's end of a Layer.
type link struct {
	layer  *Layer
	local  parley.Local
	closed atomic.Bool

	telling sync.RWMutex  // read-locked while the hub is handed what is kept
	once    sync.Once     // of idle's closing
	pending atomic.Int64  // appends whose end is not reached, and one until the link is closed
	idle    chan struct{} // closed when there are none
}

// Attach connects a hub to the layer.
func (l *Layer) Attach(local parley.Local) parley.Link {
	k := &link{layer: l, local: local, idle: make(chan struct{})}
	k.pending.Store(1)
	l.hubs.change(func(links []*link) []*link { return append(links, k) })
	return k
}

// Close ends the link, once all that was appended is safe or failed.
func (k *link) Close() error {
	if k.closed.Swap(true) {
		<-k.idle
		return parley.ErrClosed
	}
	k.leave(1)
	<-k.idle
	k.telling.Lock()
	defer k.telling.Unlock()
	k.layer.hubs.change(func(links []*link) []*link {
		return slices.DeleteFunc(links, func(other *link) bool { return other == k })
	})
	return nil
}

// leave takes appends off those that are pending.
func (k *link) leave(n int64) {
	if k.pending.Add(-n) == 0 {
		k.once.Do(func() { close(k.idle) })
	}
}

// use returns the store that is open.
func (k *link) use(ctx context.Context) (*store, error) {
	if k.closed.Load() {
		return nil, parley.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, unavailable("the caller did not wait", err)
	}
	return k.layer.use()
}

func (k *link) Append(ctx context.Context, e parley.Envelope, done func(parley.Sent, error)) error {
	k.pending.Add(1)
	err := k.append(ctx, &e, done)
	if err != nil {
		k.leave(1)
	}
	return err
}

func (k *link) append(ctx context.Context, e *parley.Envelope, done func(parley.Sent, error)) error {
	s, err := k.use(ctx)
	if err != nil {
		return err
	}
	if len(e.Key) > maxKey {
		return &parley.Error{Code: parley.BadRequest, Message: "a key must not be longer than 512 bytes"}
	}
	keep, ok := k.layer.hubs.retention(e.To)
	if !ok {
		return parley.ErrClosed
	}
	if int64(len(e.Data)) > keep.Bytes {
		return &parley.Error{Code: parley.TooLarge, Message: "the message is larger than what is kept of its address"}
	}
	return s.append(ctx, item{e: *e, done: done, keep: keep, link: k})
}

func (k *link) Head(ctx context.Context, of parley.Address) (parley.Cursor, error) {
	return reads(ctx, k, of, func(s *store, _ parley.Retention) (parley.Cursor, error) { return s.head(of) })
}

func (k *link) ReadAfter(ctx context.Context, of parley.Address, after parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	return reads(ctx, k, of, func(s *store, keep parley.Retention) (parley.Page, error) {
		return s.readAfter(of, keep, after, limit)
	})
}

func (k *link) ReadBefore(ctx context.Context, of parley.Address, before parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	return reads(ctx, k, of, func(s *store, keep parley.Retention) (parley.Page, error) {
		return s.readBefore(of, keep, before, limit)
	})
}

func (k *link) Cursors(ctx context.Context, of parley.Address) (map[string]parley.Cursor, error) {
	all, err := reads(ctx, k, of, func(s *store, keep parley.Retention) (map[string]named, error) {
		return s.namedCursors(of, keep)
	})
	if err != nil {
		return nil, err
	}
	found := make(map[string]parley.Cursor, len(all))
	for name, n := range all {
		found[name] = n.at
	}
	return found, nil
}

func (k *link) Introduce(ctx context.Context, of parley.Address, name string, at parley.Cursor) error {
	_, err := reads(ctx, k, of, func(s *store, keep parley.Retention) (struct{}, error) {
		if s.unwritable != nil {
			return struct{}{}, s.introduceUnsaved(of, keep, name, at)
		}
		return struct{}{}, s.introduce(of, keep, name, at)
	})
	if err == nil || err == errCursors || errors.Is(err, errDamaged) || errors.Is(err, parley.ErrClosed) {
		return err
	}
	return unavailable("the cursor cannot be kept now", err)
}

// reads calls f with the store, and again with the next one where that one ends.
func reads[T any](ctx context.Context, k *link, of parley.Address, f func(*store, parley.Retention) (T, error)) (none T, err error) {
	var s *store
	for {
		if s, err = k.useFor(ctx, s); err != nil {
			return none, err
		}
		keep, ok := k.layer.hubs.retention(of)
		if !ok { // all hubs left: the layer is being closed
			return none, parley.ErrClosed
		}
		if v, err := f(s, keep); err == nil || !s.over() {
			return v, s.damaged(of, err)
		}
	}
}

// useFor returns a store to read, another one than before.
func (k *link) useFor(ctx context.Context, before *store) (*store, error) {
	if k.closed.Load() {
		return nil, parley.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, unavailable("the caller did not wait", err)
	}
	return k.layer.useFor(ctx, before)
}

func (k *link) Advance(of parley.Address, name string, to parley.Cursor) {
	if s := k.layer.newest(); s != nil && !k.closed.Load() {
		s.advance(of, name, to)
	}
}

func (k *link) Health() error {
	if k.closed.Load() {
		return parley.ErrClosed
	}
	return k.layer.Health()
}

// Send carries a message that is not kept.
func (k *link) Send(ctx context.Context, e parley.Envelope) error {
	if k.closed.Load() || k.layer.isClosed() {
		return parley.ErrClosed
	}
	return sendTo(ctx, k.layer.hubs.list(), &e)
}

// sendTo hands a message to hubs. When one ends the goroutine the others get it.
func sendTo(ctx context.Context, hubs []*link, e *parley.Envelope) (err error) {
	if len(hubs) == 0 {
		return nil
	}
	defer func() { err = errors.Join(err, sendTo(ctx, hubs[1:], e)) }()
	return hubs[0].local.Deliver(ctx, *e)
}

// Subscribe has no effect: every hub is handed every message.
func (k *link) Subscribe(context.Context, parley.Address) error {
	if k.closed.Load() || k.layer.isClosed() {
		return parley.ErrClosed
	}
	return nil
}

func (k *link) Unsubscribe(parley.Address) {}

func (k *link) Members(ctx context.Context, of parley.Address) iter.Seq2[parley.Member, error] {
	return func(yield func(parley.Member, error) bool) {
		if k.closed.Load() || k.layer.isClosed() {
			yield(parley.Member{}, parley.ErrClosed)
			return
		}
		for _, h := range k.layer.hubs.list() {
			members, err := h.local.LocalMembers(ctx, of)
			if err != nil {
				yield(parley.Member{}, err)
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

func (k *link) Online(_ context.Context, of parley.Address) (bool, error) {
	if k.closed.Load() || k.layer.isClosed() {
		return false, parley.ErrClosed
	}
	return slices.ContainsFunc(k.layer.hubs.list(), func(h *link) bool { return h.local.LocalOnline(of) }), nil
}
