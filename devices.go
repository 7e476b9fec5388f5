package parley

import (
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// Connections that name no device are one, the shared device, and so are those that
// name the same one. The layer has one cursor for each.
//
// The cursor is where the connection is that is furthest behind. A connection that is
// lost leaves a debt to another one: the messages that it was handed, or waited for,
// and did not acknowledge. The cursor stays before them until a new connection begins
// there and is handed them again. That one then skips what all others acknowledged.

// device is what the connections of one device share that are here. It is there once
// one of them has a place. Guarded by the claims of the address' shard, as share is.
type device struct {
	at    Cursor // where the connection is that is furthest behind; zero before the oldest message
	slow  int    // how many connections are there
	n     int    // of connections that have a place
	debt  debt   // of lost connections
	told  Cursor // where the layer was told that the device is
	moved int64  // when it was told so last by Beat, by unixNano
}

// place returns where the device is: before what it owes.
func (d *device) place() Cursor {
	if d.debt.until.IsZero() {
		return d.at
	}
	return behind(d.at, d.debt.from)
}

// joins counts in a connection that has no place yet.
func (d *device) joins() {
	if !d.at.IsZero() {
		d.at, d.slow = Cursor{}, 0
	}
	d.slow++
}

// share is a connection's share of a device.
type share struct {
	acked Cursor  // how far it acknowledged, or began where the layer knows the device; zero before the oldest message
	until Cursor  // up to where it took over what others were to acknowledge
	of    *device // nil until it has a place
	ended bool    // the connection did; its client may still acknowledge
}

// debt is a part of the log that lost connections did not acknowledge: behind from,
// up to until. There is none where until is zero.
type debt struct{ from, until Cursor }

// join makes one debt of two.
func (d debt) join(other debt) debt {
	switch {
	case d.until.IsZero():
		return other
	case other.until.IsZero():
		return d
	}
	return debt{behind(d.from, other.from), ahead(d.until, other.until)}
}

// skip is what a new connection need not be sent again: behind until, up to to.
type skip struct{ until, to Cursor }

// owing is the debt of a device whose last connection left.
type owing struct {
	from Cursor // where the layer's cursor is
	past skip   // what that connection acknowledged behind the debt
}

// maxOwing bounds the devices of one shard that are remembered with a debt. One that is
// forgotten is sent again what was acknowledged behind it.
const maxOwing = 64

// owes notes what a device owes whose last connection leaves.
func (s *shard) owes(id deviceID, d *device) {
	if d.debt.until.IsZero() || d.debt.until.Epoch != d.at.Epoch || d.debt.until.Seq >= d.at.Seq {
		return
	}
	if s.owing == nil {
		s.owing = map[deviceID]owing{}
	}
	for other := range s.owing {
		if len(s.owing) < maxOwing {
			break
		}
		delete(s.owing, other)
	}
	s.owing[id] = owing{d.debt.from, skip{d.debt.until, d.at}}
}

// owed returns what the first connection of a device may skip that begins where the
// last one left a debt.
func (s *shard) owed(id deviceID, from Cursor) skip {
	found, ok := s.owing[id]
	if delete(s.owing, id); !ok || found.from != from {
		return skip{}
	}
	return found.past
}

// behind returns the place of two that is further behind. Zero is before all, and a
// place of another epoch than a's is none.
func behind(a, b Cursor) Cursor {
	if !a.IsZero() && (b.IsZero() || b.Epoch == a.Epoch && b.Seq < a.Seq) {
		return b
	}
	return a
}

// ahead returns the other one.
func ahead(a, b Cursor) Cursor {
	if a.IsZero() || b.Epoch == a.Epoch && b.Seq > a.Seq {
		return b
	}
	return a
}

// claim adds the claim of a membership that did not begin: it needs all there is.
func (t *table) claim(f *following) {
	topic := f.member.topic
	s, unlock := t.claims(topic.address())
	defer unlock()
	f.member.List()
	if last, ok := s.looks.Find(topic); ok {
		last.low.Seq, last.least = 0, 0
		s.looks.Set(topic, last)
	}
	if f.acks() {
		if d := s.shared(f); d != nil {
			d.joins()
		}
	}
}

// claims locks what is guarded by the claims of an address' shard.
func (t *table) claims(of Address) (s *shard, unlock func()) {
	s = t.shard(of)
	s.mu.RLock()
	s.claims.Lock()
	return s, func() {
		s.claims.Unlock()
		s.mu.RUnlock()
	}
}

// unclaim takes a claim back, and has the layer know where the device is that the
// connection was. head is the place of the newest message that came by, zero where
// the connection goes on.
func (h *Hub) unclaim(f *following, head Cursor) {
	of, at := f.member.topic.address(), Cursor{}
	s, unlock := h.table.claims(of)
	if f.member.Unlist() && f.acks() {
		at = s.leaves(f, head)
	}
	unlock()
	if !at.IsZero() {
		h.link.Advance(of, f.deviceName(), at)
	}
}

// leaves returns where the device of a connection is that ends. Called with mu and
// claims held, as what follows is.
func (s *shard) leaves(f *following, head Cursor) Cursor {
	acked, owed := f.acked(), debt{}
	if f.share != nil {
		head = ahead(head, f.share.until)
	}
	switch {
	case head.IsZero():
	case acked.Epoch != head.Epoch: // it had nothing of this log yet
		owed = debt{until: head}
	case acked.Seq < head.Seq:
		owed = debt{acked, head}
	}
	d, other := s.shared(f), s.other(f)
	f.ends(d)
	switch {
	case d == nil && (other == nil || owed == debt{}):
		return Cursor{} // the layer knows of none
	case d == nil:
		d = &device{}
		s.measure(other, d)
	case other == nil:
		d.at = acked
	default:
		s.left(f, d)
	}
	if d.debt = d.debt.join(owed); other != nil {
		other.take(d)
	} else {
		s.owes(f.id(), d)
	}
	f.share.of = d
	return d.place()
}

// ends counts a connection out of its device, which is nil where it has no place.
func (f *following) ends(d *device) {
	if f.share == nil {
		f.share = &share{}
	}
	if f.share.of != nil {
		f.share.of.n--
	}
	f.share.of, f.share.ended = d, true
}

// shared returns the device of a connection, nil where none of it has a place.
func (s *shard) shared(f *following) *device {
	if f.share != nil && f.share.of != nil {
		return f.share.of
	}
	for other := range s.device(f) {
		if other.share != nil && other.share.of != nil {
			return other.share.of
		}
	}
	return nil
}

// other returns another connection of the same device, nil where there is none.
func (s *shard) other(f *following) *following {
	for other := range s.device(f) {
		if other != f {
			return other
		}
	}
	return nil
}

// device yields the connections of the same device.
func (s *shard) device(as *following) func(func(*following) bool) {
	return func(yield func(*following) bool) {
		for t := s.topics.Get(as.member.topic.address()); t != nil; t = t.next {
			for source := range t.Followers {
				if f := source.(*following); f.acks() && f.deviceName() == as.deviceName() && !yield(f) {
					return
				}
			}
		}
	}
}

// left counts a connection out of the place where it was. Only where nobody is left
// there are all others looked at: so an acknowledgement of one among many costs little.
func (s *shard) left(f *following, d *device) {
	if f.acked() != d.at {
		return
	}
	if d.slow--; d.slow <= 0 {
		s.measure(f, d)
	}
}

// measure finds where the connection of a device is that is furthest behind.
func (s *shard) measure(as *following, d *device) {
	d.slow = 0
	for f := range s.device(as) {
		switch at := f.acked(); {
		case d.slow == 0, at != d.at && behind(d.at, at) == at:
			d.at, d.slow = at, 1
		case at == d.at:
			d.slow++
		}
	}
}

// moves notes how far a connection acknowledged. It returns where its device is then,
// zero where the layer knows that.
func (s *shard) moves(f *following, to Cursor) Cursor {
	d := s.shared(f)
	if d == nil {
		d = &device{}
		s.measure(f, d)
	}
	f.take(d)
	was := f.share.acked
	if f.share.acked = ahead(to, was); was == d.at {
		if d.slow--; d.slow <= 0 && d.n == 1 { // nobody else is there
			d.at, d.slow = f.share.acked, 1
		} else if d.slow <= 0 {
			s.measure(f, d)
		}
	}
	at := d.place()
	if at == d.told {
		return Cursor{}
	}
	d.told = at
	return at
}

// acknowledge is moves for an answer to a ping.
func (t *table) acknowledge(f *following, at Cursor) Cursor {
	s, unlock := t.claims(f.member.topic.address())
	defer unlock()
	if f.share != nil && f.share.ended {
		return s.movesLate(f, at)
	}
	return s.moves(f, at)
}

// movesLate is moves for a connection that ended: what it acknowledges it does not owe.
func (s *shard) movesLate(f *following, to Cursor) Cursor {
	d, was := f.share.of, f.share.acked
	f.share.acked = ahead(to, was)
	if d == nil { // nobody else is there
		return f.share.acked
	}
	if to = f.share.acked; d.debt.from == was {
		if d.debt.from = to; to == d.debt.until || behind(to, d.debt.until) != to {
			d.debt = debt{}
		}
	}
	if s.other(f) == nil {
		d.at = to
	}
	if at := d.place(); at != d.told {
		d.told = at
		return at
	}
	return Cursor{}
}

// begins notes where a connection of a device begins. It is handed again what lost
// ones did not acknowledge, and all that others were handed up to the log's head:
// these need not acknowledge that any more. It returns what the connection may skip.
func (t *table) begins(f *following, b *beginning) (past skip) {
	s, unlock := t.claims(f.member.topic.address())
	defer unlock()
	past = s.owed(f.id(), b.from)
	d := s.shared(f)
	if d != nil && !d.debt.until.IsZero() && behind(b.from, d.debt.from) != b.from {
		// The layer's cursor went past a debt before it was known.
		b.from, b.at = d.debt.from, d.debt.from
		b.how.At, b.how.Head = socket.Position(b.from), false
	}
	if b.known || b.isNew { // the layer has the cursor
		s.moves(f, b.at)
		d = f.share.of
		d.told = b.at
	}
	if d == nil {
		return past
	}
	at := b.from
	others, n := Cursor{}, 0
	for other := range s.device(f) {
		if other == f || behind(other.acked(), at) != at {
			continue
		}
		other.take(d)
		if n++; n == 1 {
			others = other.share.acked
		}
		others = behind(others, other.share.acked)
		other.share.acked = ahead(other.share.acked, b.head)
	}
	owed := d.debt
	if n > 0 {
		f.take(d)
		f.share.until = b.head
	}
	if !owed.until.IsZero() && behind(owed.from, at) == at {
		d.debt = debt{}
		f.take(d)
		f.share.until = ahead(owed.until, f.share.until)
	}
	s.measure(f, d)
	if !owed.until.IsZero() && d.debt.until.IsZero() && owed.until.Epoch == others.Epoch && owed.until.Seq < others.Seq {
		return skip{owed.until, others}
	}
	return past
}

// Acked moves the device's cursor. The loop calls it.
func (f *following) Acked(at socket.Position) {
	hub := f.conn().Hub()
	if device := hub.table.acknowledge(f, Cursor(at)); !device.IsZero() {
		hub.link.Advance(f.member.topic.address(), f.deviceName(), device)
	}
}

// Beat moves the cursor of a quiet device to where it is, long before it would be
// forgotten. The loop calls it.
func (f *following) Beat(now time.Time) {
	hub, of := f.conn().Hub(), f.member.topic.address()
	if at := hub.table.isDue(f, steady(now), int64(hub.keep.find(of).Age/4)); !at.IsZero() {
		hub.link.Advance(of, f.deviceName(), at)
	}
}

// isDue returns where a device is that was not moved for some time, zero where there
// is nothing to do.
func (t *table) isDue(f *following, now, after int64) Cursor {
	_, unlock := t.claims(f.member.topic.address())
	defer unlock()
	if f.share == nil || f.share.of == nil || now-f.share.of.moved < after {
		return Cursor{}
	}
	f.share.of.moved = now
	return f.share.of.told
}
