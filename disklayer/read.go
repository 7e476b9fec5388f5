package disklayer

import (
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/fault"
)

// reading is one reading of a log: of what is kept and safe, as it begins.
type reading struct {
	s     *store
	log   *logState
	first uint64 // the oldest place that is kept
	head  uint64 // the newest that is safe
	limit parley.PageLimit
	bytes int // of the page so far
	page  parley.Page
}

// read begins a reading of an address's log, which is to be ended.
func (s *store) read(of parley.Address, keep parley.Retention, limit parley.PageLimit) (*reading, error) {
	if limit.Messages <= 0 || limit.Bytes <= 0 {
		return nil, &parley.Error{Code: parley.BadRequest, Message: "the limit of a page must be positive"}
	}
	l, err := s.log(of)
	if err != nil {
		return nil, err
	}
	r := &reading{s: s, log: l, limit: limit}
	first, newest, err := s.bounds(l, keep)
	if err != nil {
		s.logs.unpin(l)
		return nil, err
	}
	r.first, r.head = first.seq, newest.seq
	return r, nil
}

func (r *reading) end() { r.s.logs.unpin(r.log) }

// misses reports whether the log cannot go on from a place.
func (r *reading) misses(c parley.Cursor) bool {
	if c.Epoch != r.s.epoch && !fault.EpochIgnored() {
		return true
	}
	return c.Seq > r.head || c.Seq+1 < r.first
}

func (s *store) readAfter(of parley.Address, keep parley.Retention, after parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	r, err := s.read(of, keep, limit)
	if err != nil {
		return parley.Page{}, err
	}
	defer r.end()
	from, wanted := r.first, r.first // wanted is where the page is to begin, if that is known
	if !after.IsZero() {
		if r.page.Missed = r.misses(after); !r.page.Missed {
			from = after.Seq + 1
		}
		if after.Epoch == s.epoch && after.Seq <= r.head {
			wanted = after.Seq + 1
		}
	}
	if from <= r.head && !r.tailAfter(from) {
		if err := r.fromDisk(from, r.head, false); err != nil {
			return parley.Page{}, err
		}
	}
	at := from - 1
	if n := len(r.page.Messages); n > 0 {
		at = r.page.Messages[n-1].Cursor.Seq
		// What was trimmed meanwhile was to be in the page.
		r.page.Missed = r.page.Missed || !after.IsZero() && r.page.Messages[0].Cursor.Seq != from
		from = r.page.Messages[0].Cursor.Seq
	} else if from <= r.head {
		at = r.head
		r.page.Missed = !after.IsZero()
		from = at + 1
	}
	switch {
	case after.IsZero():
		r.page.Lost = r.log.lostBefore(from)
	case r.page.Missed:
		r.page.Lost = int64(from - min(wanted, from))
	}
	r.page.Cursor = parley.Cursor{Epoch: s.epoch, Seq: at}
	r.page.More = at < r.head
	return r.page, nil
}

func (s *store) readBefore(of parley.Address, keep parley.Retention, before parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	r, err := s.read(of, keep, limit)
	if err != nil {
		return parley.Page{}, err
	}
	defer r.end()
	to := r.head
	if !before.IsZero() {
		if r.page.Missed = r.misses(before); !r.page.Missed {
			to = before.Seq - 1
		}
	}
	if r.first <= to && !r.tailBefore(to) {
		if err := r.fromDisk(r.first, to, true); err != nil {
			return parley.Page{}, err
		}
	}
	slices.Reverse(r.page.Messages)
	r.page.Cursor = before
	if len(r.page.Messages) > 0 {
		r.page.Cursor = r.page.Messages[0].Cursor
		r.page.More = r.page.Cursor.Seq > r.first
	}
	return r.page, nil
}

// fits reports whether the page has room for a message with that much data.
func (r *reading) fits(data int) bool {
	n := len(r.page.Messages)
	return n == 0 || n < r.limit.Messages && r.bytes+data <= r.limit.Bytes
}

// makeRoom has the page take messages without growing, of which there are so many
// at most.
func (r *reading) makeRoom(messages uint64) {
	r.page.Messages = make([]parley.Envelope, 0, min(messages, uint64(r.limit.Messages)))
}

func (r *reading) add(e parley.Envelope) {
	r.bytes += len(e.Data)
	r.page.Messages = append(r.page.Messages, e)
}

// tailAfter fills the page from memory, if what begins it is there.
func (r *reading) tailAfter(from uint64) bool {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	tail := r.log.tail
	if len(tail) == 0 || tail[0].Cursor.Seq > from || r.log.safe.seq < from {
		return false
	}
	tail = tail[from-tail[0].Cursor.Seq:]
	r.makeRoom(uint64(len(tail)))
	for i := 0; i < len(tail) && r.fits(len(tail[i].Data)); i++ {
		r.add(tail[i])
	}
	if n := len(r.page.Messages); n > 0 {
		r.head = max(r.head, r.page.Messages[n-1].Cursor.Seq)
	}
	return true
}

// tailBefore fills the page from memory, newest first, if all that may be in it
// is there.
func (r *reading) tailBefore(to uint64) bool {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	tail := r.log.tail
	last := max(r.first, to-min(to, uint64(r.limit.Messages))+1)
	if len(tail) == 0 || r.log.safe.seq < to || tail[0].Cursor.Seq > last {
		return false
	}
	r.makeRoom(to + 1 - last)
	for seq := to; seq >= last; seq-- {
		e := &tail[seq-tail[0].Cursor.Seq]
		if !r.fits(len(e.Data)) {
			break
		}
		r.add(*e)
	}
	return true
}

// fromDisk fills the page from the database.
func (r *reading) fromDisk(from, to uint64, backward bool) error {
	if err := r.s.enter(); err != nil {
		return err
	}
	return r.s.leave(r.scan(from, to, backward))
}

func (r *reading) scan(from, to uint64, backward bool) (err error) {
	it, err := r.s.db.NewIter(&pebble.IterOptions{LowerBound: messageKey(r.log.addr, from), UpperBound: messageKey(r.log.addr, to+1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	r.makeRoom(to + 1 - from)
	start, step := it.First, it.Next
	if backward {
		start, step = it.Last, it.Prev
	}
	for ok := start(); ok; ok = step() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if !r.fits(0) {
			break
		}
		e, err := parseRecord(value, r.log.addr, parley.Cursor{Epoch: r.s.epoch, Seq: seqOf(it.Key())})
		if err != nil {
			return err
		}
		if !r.fits(len(e.Data)) {
			break
		}
		r.add(e)
	}
	return nil
}
