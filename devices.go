package parley

import (
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// device is what a membership of an inbox has besides, if its pongs acknowledge: its
// share of a device of the user. Connections that name no device are one, the shared
// device, and so are those that name the same one. The layer has one cursor for each.
//
// The cursor is where the connection is that is furthest behind. A connection that is
// lost leaves a debt to another one: the messages that it was handed, or waited for,
// and did not acknowledge. The cursor stays before them until a new connection begins
// there and is handed them again. That one then skips what all others acknowledged.
//
// Guarded by the claims of the address' shard.
type device struct {
	name  string
	acked Cursor // how far this connection acknowledged, or began where the layer knows the device; zero before the oldest message
	debt  debt   // of lost connections
	at    Cursor // where the layer was told that the device is
	moved int64  // when it was told so last by Beat, Unix time in nanoseconds
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

// noDevice is that of a membership that no pong acknowledges.
var noDevice = new(device)

// claim adds the claim of a membership that did not begin: it needs all there is.
func (t *table) claim(f *following) {
	topic := f.member.topic
	s := t.shard(topic.address())
	s.claims.Lock()
	defer s.claims.Unlock()
	f.member.List()
	if last, ok := s.looks[topic]; ok {
		last.low.Seq = 0
		s.looks[topic] = last
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
		at = s.leaves(of, f, head)
	}
	unlock()
	if !at.IsZero() {
		h.link.Advance(of, f.deviceName(), at)
	}
}

// leaves returns where the device of a connection is that ends. Called with mu and
// claims held, as what follows is.
func (s *shard) leaves(of Address, f *following, head Cursor) Cursor {
	owed := f.owes()
	if acked := f.acked(); !head.IsZero() && behind(head, acked) == acked && acked != head {
		owed = owed.join(debt{acked, head})
	}
	for other := range s.device(of, f) {
		d := other.known()
		d.debt = d.debt.join(owed)
		return s.deviceAt(of, other)
	}
	at := f.acked()
	if !owed.until.IsZero() {
		at = behind(at, owed.from)
	}
	return at
}

// device yields the connections of a device.
func (s *shard) device(of Address, as *following) func(func(*following) bool) {
	return func(yield func(*following) bool) {
		for t := s.topics[of]; t != nil; t = t.next {
			for source := range t.Followers {
				if f := source.(*following); f.acks() && f.deviceName() == as.deviceName() && !yield(f) {
					return
				}
			}
		}
	}
}

// deviceAt returns where a device is; zero before the oldest message.
func (s *shard) deviceAt(of Address, as *following) Cursor {
	at := as.acked()
	for f := range s.device(of, as) {
		if at = behind(at, f.acked()); !f.owes().until.IsZero() {
			at = behind(at, f.owes().from)
		}
	}
	return at
}

// acknowledge notes how far a connection acknowledged, and returns where its device
// is then, zero where the layer knows that.
func (t *table) acknowledge(f *following, at Cursor) Cursor {
	of := f.member.topic.address()
	s, unlock := t.claims(of)
	defer unlock()
	d := f.known()
	d.acked = ahead(at, d.acked)
	if at = s.deviceAt(of, f); at == d.at {
		return Cursor{}
	}
	d.at = at
	return at
}

// begins notes where a connection of a device begins. It is handed again what lost
// ones did not acknowledge, and all that others were handed up to the log's head:
// these need not acknowledge that any more. It returns what the connection may skip.
// isKnown says that the layer has the cursor.
func (t *table) begins(f *following, at, head Cursor, isKnown bool) (past skip) {
	of := f.member.topic.address()
	s, unlock := t.claims(of)
	defer unlock()
	owed, others, n := debt{}, Cursor{}, 0
	for other := range s.device(of, f) {
		if other == f || behind(other.acked(), at) != at {
			continue
		}
		d := other.known()
		owed, d.debt = owed.join(d.debt), debt{}
		if n++; n == 1 {
			others = d.acked
		}
		others = behind(others, d.acked)
		d.acked = ahead(d.acked, head)
	}
	if isKnown { // else it has no place until it acknowledges something
		d := f.known()
		d.at, d.acked = at, at
	}
	if !owed.until.IsZero() && owed.until.Epoch == others.Epoch && owed.until.Seq < others.Seq {
		return skip{owed.until, others}
	}
	return skip{}
}

// Acked moves the device's cursor. The loop calls it.
func (f *following) Acked(at socket.Position) {
	hub := f.conn.Hub()
	if device := hub.table.acknowledge(f, Cursor(at)); !device.IsZero() {
		hub.link.Advance(f.member.topic.address(), f.deviceName(), device)
	}
}

// Beat moves the cursor of a quiet device to where it is, long before it would be
// forgotten. The loop calls it.
func (f *following) Beat(now time.Time) {
	hub, of := f.conn.Hub(), f.member.topic.address()
	if at := hub.table.isDue(f, now.UnixNano(), int64(hub.keep.find(of).Age/4)); !at.IsZero() {
		hub.link.Advance(of, f.deviceName(), at)
	}
}

// isDue returns where a device is that was not moved for some time, zero where there
// is nothing to do.
func (t *table) isDue(f *following, now, after int64) Cursor {
	_, unlock := t.claims(f.member.topic.address())
	defer unlock()
	d := f.device
	if d == nil || now-d.moved < after {
		return Cursor{}
	}
	d.moved = now
	return d.at
}
