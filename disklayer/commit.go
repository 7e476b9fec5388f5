package disklayer

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/fault"
)

// flight is what is committed at once.
type flight struct {
	items   []item
	jobs    []job
	size    int
	batch   *pebble.Batch
	sync    bool  // the batch is to be synced
	written int64 // bytes of the batch
}

// flights is how many are between the committer and the finisher.
const flights = 8

// commitLoop gives what is queued its places and commits it, one flight after
// the other. It does not wait until a flight is safe.
func (s *store) commitLoop() {
	defer close(s.flights)
	for {
		f := s.freeFlight()
		if !s.queue.take(f) {
			return
		}
		s.commit(f)
		s.flights <- f
	}
}

func (s *store) commit(f *flight) {
	if s.fs.err() != nil {
		return
	}
	defer s.recovered("commit")
	f.batch = s.db.NewBatchWithSize(f.size + f.size/4 + 64)
	now, wall := s.cfg.clock.Both()
	for i := range f.items {
		s.place(f, &f.items[i], now, wall)
	}
	for _, j := range f.jobs {
		j.run(f.batch)
		f.sync = f.sync || j.sync
	}
	if f.sync && now-s.clocked.Load() >= clockEvery {
		s.putClock(f.batch)
	}
	f.written = int64(f.batch.Len())
	s.flying.Add(f.written)
	switch {
	case f.sync && f.batch.Empty():
		s.note(f.batch.LogData(nil, nil))
		fallthrough
	case f.sync:
		s.note(s.db.ApplyNoSyncWait(f.batch, pebble.Sync))
	default:
		s.note(s.db.Apply(f.batch, pebble.NoSync))
	}
}

// note ends the use of the database where it returned an error to a change.
func (s *store) note(err error) {
	if err != nil {
		s.fs.fail(fmt.Errorf("commit: %w", err))
	}
}

// recovered ends the use of a database that panicked.
func (s *store) recovered(what string) {
	if r := recover(); r != nil {
		s.fs.fail(fmt.Errorf("%s: panic: %v", what, r))
	}
}

// place gives an item its place and adds it to the batch, unless it is a repeat
// or its log is too far behind with its trimming.
func (s *store) place(f *flight, it *item, now, wall int64) {
	if it.claim != nil && s.claimed(it, now) {
		return
	}
	l := it.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if why := s.shortage(int64(f.batch.Len() + it.size())); why != nil {
		s.keeper.measureSoon()
		s.refuse(it, unavailable("messages cannot be kept now", why))
		return
	}
	size := uint64(len(it.e.Data))
	held := l.head.bytes + size - l.first.bytes
	if s.refuses(l, it.keep, size, held) {
		s.refuse(it, errInboxFull)
		return
	}
	slack := max(uint64(it.keep.Bytes), trimSlack)
	if held > uint64(it.keep.Bytes)+slack {
		l.mu.Unlock()
		s.trimNow(f.batch, l)
		l.mu.Lock()
		held = l.head.bytes + size - l.first.bytes
	}
	if held > uint64(it.keep.Bytes) && held-uint64(it.keep.Bytes) > slack+queueBytes { // which may not be safe yet, and so not trimmed
		s.refuse(it, errLogFull)
		return
	}
	it.at = mark{l.head.seq + 1, max(now, l.head.time), l.head.bytes + size}
	it.sent = wall
	began := l.emptyLocked()
	if began {
		l.first = mark{it.at.seq, it.at.time, l.head.bytes}
	}
	l.head = it.at
	f.sync = true
	s.put(f.batch, it)
	if began || !l.stored {
		l.stored = true
		s.putBookkeeping(f.batch, l)
	}
	if it.claim != nil {
		it.claim.seq, it.claim.sent = it.at.seq, it.sent
		s.putClaim(f.batch, it, now)
	}
	s.checkTrim(l, it.keep, held)
}

var errLogFull = &parley.Error{Code: parley.Unavailable, Message: "the address's log is full until it is trimmed"}

// refuse ends an item that is not kept.
func (s *store) refuse(it *item, why error) {
	it.err = why
	if it.claim != nil {
		s.settleClaim(it)
	}
}

// put adds the item's message to the batch, and completes its envelope.
func (s *store) put(b *pebble.Batch, it *item) {
	e := &it.e
	e.To, e.Time, e.Prev = it.log.addr, time.Unix(0, it.sent), it.at.seq-1
	e.Cursor = parley.Cursor{Epoch: s.epoch, Seq: it.at.seq}
	op := b.SetDeferred(1+addressSize(e.To)+8, recordSize(e, it.at))
	key := appendAddress(append(op.Key[:0], keyMessage), e.To)
	appendSeq(key, it.at.seq)
	putRecord(op.Value, e, it.at)
	_ = op.Finish()
}

// putBookkeeping adds a log's bookkeeping to the batch, and deletes what lies before
// its first message: once that is stored nothing else finds it. Called with l.mu held.
func (s *store) putBookkeeping(b *pebble.Batch, l *logState) {
	if l.trimmed < l.first.seq {
		deleteMessages(b, l.addr, l.trimmed, l.first.seq)
		l.trimmed = l.first.seq
	}
	var value [bookkeepingSize]byte
	_ = b.Set(addressKey(keyLog, l.addr), l.bookkeepingLocked().append(value[:0]), nil)
}

// finishLoop finishes one flight after the other. When a hub or a done ends the
// goroutine another one goes on behind that flight.
func (s *store) finishLoop() {
	over := false
	defer func() {
		if !over {
			s.working.Go(s.finishLoop)
		}
	}()
	for f := range s.flights {
		s.finish(f)
	}
	over = true
}

// finish waits until a flight is safe, tells the senders, and hands its messages to
// the hubs. It does all of that even when a call ends the goroutine.
func (s *store) finish(f *flight) {
	if fault.AcceptBeforeSync() {
		s.accept(f)
	}
	err := s.safe(f)
	s.publish(f, err)
	defer s.land(f, err)
	defer s.deliver(f)
	if !fault.AcceptBeforeSync() {
		s.accept(f)
	}
}

// each calls f for each of a list. When a call ends the goroutine it makes the rest.
func each[T any](all []T, f func(*T)) {
	defer func() {
		if len(all) > 0 {
			each(all, f)
		}
	}()
	for len(all) > 0 {
		next := &all[0]
		all = all[1:]
		f(next)
	}
}

// safe waits until a flight is safe, or fails.
func (s *store) safe(f *flight) error {
	if f.batch != nil && f.sync && s.fs.err() == nil {
		s.note(f.batch.SyncWait())
	}
	if err := s.fs.err(); err != nil {
		return unavailable("messages cannot be kept now", err)
	}
	return nil
}

// publish makes what is safe readable.
func (s *store) publish(f *flight, err error) {
	for i := range f.items {
		it := &f.items[i]
		switch {
		case err != nil:
			it.err = err
			s.noteUnsafe(it.log)
		case it.repeat && it.err == nil:
			it.err = it.claim.err
		}
		if it.claim != nil && !it.repeat {
			s.settleClaim(it)
		}
		if !it.repeat && it.err == nil {
			it.grown = it.log.publish(&it.e, it.at, s.cfg.TailBytes/8)
		}
	}
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	for i := range f.items {
		s.logs.unpinLocked(f.items[i].log, f.items[i].grown)
	}
	s.logs.evictLocked()
}

// accept tells the senders.
func (s *store) accept(f *flight) { each(f.items, s.tell) }

// tell tells the sender of one message.
func (s *store) tell(it *item) {
	defer it.link.leave(1)
	if it.err != nil {
		it.done(parley.Sent{}, it.err)
	} else {
		it.done(parley.Sent{Cursor: parley.Cursor{Epoch: s.epoch, Seq: it.at.seq}, Time: time.Unix(0, it.sent)}, nil)
	}
}

// deliver hands messages that are safe to the hubs.
func (s *store) deliver(f *flight) {
	hubs := s.hubs.list()
	each(f.items, func(it *item) {
		if it.err != nil || it.repeat {
			return
		}
		it.e.Key = ""
		deliverTo(hubs, &it.e)
	})
}

// deliverTo hands a kept message to hubs. When one ends the goroutine the others get
// it.
func deliverTo(hubs []*link, e *parley.Envelope) {
	if len(hubs) == 0 {
		return
	}
	defer deliverTo(hubs[1:], e)
	hubs[0].deliver(*e)
}

// land ends a flight.
func (s *store) land(f *flight, err error) {
	for _, j := range f.jobs {
		close(j.done)
	}
	if err == nil {
		_ = f.batch.Close()
	}
	s.queue.release(f.size)
	s.flying.Add(-f.written)
	clear(f.items)
	clear(f.jobs)
	*f = flight{items: f.items[:0], jobs: f.jobs[:0]}
	select {
	case s.free <- f:
	default:
	}
}

func (s *store) freeFlight() *flight {
	select {
	case f := <-s.free:
		return f
	default:
		return &flight{}
	}
}
