package parley

import (
	"context"

	"github.com/parley-rt/parley/internal/socket"
)

// ListenOptions configure [Hub.Listen]. The zero value means the defaults.
type ListenOptions struct {
	// After is the place, in the log of a kept address, of the last message that
	// the function was given before: those behind it come first. Default: from
	// now on.
	After Cursor

	// Queue is how many messages may wait for a slow function before more are
	// dropped and counted in [Stats].ListenMissed. Kept ones are not dropped,
	// but read from the log later. Default 1024.
	Queue int

	// Started is called, if not nil, once messages are heard: what is sent
	// after it gets to the function.
	Started func()

	// Missed is called, if not nil, by Listen's goroutine, when the function does
	// not get all messages of a kept address: before those behind the gap. Each gap
	// is counted in [Stats].
	Missed func(Missed)
}

// Listen calls f for each message that is sent to an address from now on, one
// call at a time, in the order of arrival. It blocks until f returns an error,
// which it returns, or ctx ends, whose cause it returns, or the hub closes:
// ErrClosed. It is not a work queue: every listener gets every message.
//
// Kept messages come once each and in the order of the log, however slow f is, and
// after a pause too: the Cursor of the last one that f dealt with is After of the
// next call. An error of the layer ends Listen, which returns it.
func (h *Hub) Listen(ctx context.Context, to Address, options *ListenOptions, f func(Message) error) error {
	if err := to.check(); err != nil {
		return err
	}
	var opts ListenOptions
	if options != nil {
		opts = *options
	}
	orDefault(&opts.Queue, 1024)
	l := &listener{hub: h, to: to, f: f, opts: &opts, queue: make(chan heard, opts.Queue)}
	if h.keep.find(to) != nil {
		l.behind, l.late = make(chan struct{}, 1), make(chan struct{}, 1)
	} else if !opts.After.IsZero() {
		return errNotKept(to)
	}
	if err := h.link.Subscribe(ctx, to); err != nil {
		return causeOf(ctx, err)
	}
	defer h.link.Unsubscribe(to)
	defer h.table.listen(to, l)()
	if err := l.start(ctx); err != nil {
		return err
	}
	return l.run(ctx)
}

// listener is one call of Listen, on whose goroutine f is called.
type listener struct {
	hub   *Hub
	to    Address
	f     func(Message) error
	opts  *ListenOptions
	queue chan heard

	// Of a kept address.
	behind chan struct{} // holds one when there was no room for a message; nil where none are kept
	late   chan struct{} // holds one when the claim ended
	at     Cursor        // the place of the last message that f was given; owned by Listen's goroutine
	dealt  socket.Place  // of the last message that f is done with
	holds  *claim        // guarded by the claims of the address' shard
}

// moveTo notes how far f got.
func (l *listener) moveTo(at Cursor) {
	l.at = at
	l.dealt.Move(socket.Position(at))
}

// acknowledged is of the claim.
func (l *listener) acknowledged() Cursor { return Cursor(l.dealt.Position()) }

func (l *listener) claim() **claim { return &l.holds }

// overdue has the program told that the claim ended, once f returns.
func (l *listener) overdue(Cursor) {
	select {
	case l.late <- struct{}{}:
	default: // it is about to be
	}
}

// heard is a message that waits.
type heard struct {
	Message
	prev uint64 // Envelope.Prev
}

// offer queues m, or reports that there is no room.
func (l *listener) offer(m Message) bool {
	select {
	case l.queue <- heard{Message: m}:
		return true
	default:
		return false
	}
}

// offerKept queues a message of a log. Where there is no room it is read later.
func (l *listener) offerKept(e Envelope) {
	select {
	case l.queue <- heard{e.Message, e.Prev}:
		return
	default:
	}
	if l.behind == nil { // another hub keeps what this one does not
		l.hub.missed.Add(1)
		return
	}
	l.reread()
}

// reread has the log read, if messages are kept.
func (l *listener) reread() {
	if l.behind == nil {
		return
	}
	select {
	case l.behind <- struct{}{}:
	default: // it is known
	}
}

// start finds the place to begin at, and begins to hear.
func (l *listener) start(ctx context.Context) (err error) {
	l.at = l.opts.After
	if l.behind != nil && l.at.IsZero() {
		l.at, err = l.hub.link.Head(ctx, l.to)
		err = causeOf(ctx, err)
	}
	l.moveTo(l.at)
	if err == nil && l.opts.Started != nil {
		l.opts.Started()
	}
	return err
}

func (l *listener) run(ctx context.Context) error {
	if !l.opts.After.IsZero() {
		if err := l.catchUp(ctx); err != nil {
			return err
		}
	}
	for {
		var err error
		select {
		case m := <-l.queue:
			err = l.hear(ctx, &m)
		case <-l.behind:
			err = l.drain(ctx)
		case <-l.late:
			l.tellMissed(Missed{Of: l.to, Overdue: true})
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.hub.closing:
			return ErrClosed
		}
		if err != nil {
			return err
		}
	}
}

// drain gives f what is queued, and what there was no room for behind it.
func (l *listener) drain(ctx context.Context) error {
	for range len(l.queue) {
		m := <-l.queue
		if err := l.hear(ctx, &m); err != nil {
			return err
		}
		if err := l.over(ctx); err != nil {
			return err
		}
	}
	return l.catchUp(ctx)
}

// hear gives f a message that was waiting, unless it was read already. One that
// does not follow the last shows that others were not queued: all are read then.
func (l *listener) hear(ctx context.Context, m *heard) error {
	switch sameLog := m.Cursor.Epoch == l.at.Epoch; {
	case m.Cursor.IsZero() || l.behind == nil:
		return l.tell(&m.Message)
	case sameLog && m.Cursor.Seq <= l.at.Seq:
		return nil
	case sameLog && m.prev <= l.at.Seq:
		return l.deal(&m.Message)
	}
	return l.catchUp(ctx)
}

// deal gives f a message of the log.
func (l *listener) deal(m *Message) error {
	if err := l.tell(m); err != nil {
		return err
	}
	l.moveTo(m.Cursor)
	return nil
}

// tell calls f.
func (l *listener) tell(m *Message) error { return genuine(l.f(*m)) }

// tellMissed calls ListenOptions.Missed.
func (l *listener) tellMissed(m Missed) {
	if l.opts.Missed != nil {
		l.opts.Missed(m)
	}
}

// listenPage bounds what a listener holds of what it reads.
var listenPage = PageLimit{Messages: 256, Bytes: 1 << 20}

// catchUp gives f what the log holds behind the last message, up to its head.
func (l *listener) catchUp(ctx context.Context) error {
	select {
	case <-l.behind: // what there was no room for is about to be read
	default:
	}
	for {
		page, err := l.hub.link.ReadAfter(ctx, l.to, l.at, listenPage)
		if err != nil {
			return causeOf(ctx, err)
		}
		if err := l.give(ctx, &page); err != nil || !page.More {
			return err
		}
	}
}

// give gives f a page of the log.
func (l *listener) give(ctx context.Context, page *Page) error {
	if page.Missed {
		missed := missedBy(l.to, page)
		l.hub.lost(missed.Messages)
		l.tellMissed(missed)
	}
	for i := range page.Messages {
		if err := l.over(ctx); err != nil {
			return err
		}
		if err := l.deal(&page.Messages[i].Message); err != nil {
			return err
		}
	}
	l.moveTo(page.Cursor)
	return nil
}

// causeOf returns why ctx ended, where an error of the layer comes of that.
func causeOf(ctx context.Context, err error) error {
	if ended(ctx, err) {
		return context.Cause(ctx)
	}
	return err
}

// over returns why Listen ends, nil if it does not.
func (l *listener) over(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.hub.closing:
		return ErrClosed
	default:
		return nil
	}
}
