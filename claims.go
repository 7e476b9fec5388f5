package parley

import (
	"sync"
	"time"
)

// A connected receiver of a kept address has a claim on the address' log: it needs
// what it has not acknowledged. The layer asks for the claims before it trims by
// count, and before it takes a message of an inbox that is full. So a claim costs
// nothing per message: followers and listeners have a place that others may look
// at, and the places of one topic are gone through when the layer asks for more than
// the lowest one that was found last.

// claimant is a receiver with a claim: a following or a listener.
type claimant interface {
	// acknowledged returns how far it got, zero for not at all. Called with the
	// shard's claims locked.
	acknowledged() Cursor
	// claim returns where the claim is, guarded by the shard's claims.
	claim() **claim
	// overdue says that the claim ended.
	overdue(upTo Cursor)
}

// claim says for how long a receiver made no progress while messages waited. There
// is none while nothing was found waiting.
type claim struct {
	since int64  // when it was found where it is, by unixNano
	at    Cursor // where that is
	ended bool   // it stayed there for too long; progress renews the claim
}

// look is one look at the claims on a log.
type look struct {
	upTo    Cursor // how far the layer wants to go
	lowest  Cursor // how far it may
	now     int64
	timeout int64
	ended   []claimant // by this look
	least   uint64     // the lowest place of all receivers, also where the claim ended
}

// at counts a claim in, and reports how far its receiver got.
func (k *look) at(of claimant) {
	at, c := of.acknowledged(), of.claim()
	switch {
	case at.Epoch != k.upTo.Epoch && !at.IsZero(): // of a log that is no more
		return
	case at.Seq >= k.upTo.Seq:
		*c = nil
		return
	case *c == nil:
		*c = &claim{k.now, at, false}
	case (*c).at != at:
		**c = claim{k.now, at, false}
	case !(*c).ended && k.now-(*c).since >= k.timeout:
		(*c).ended = true
		k.ended = append(k.ended, of)
	}
	k.least = min(k.least, at.Seq)
	if !(*c).ended && at.Seq < k.lowest.Seq {
		k.lowest.Seq = at.Seq
	}
}

// looked is what the last look at a topic with many claims found. Places only move
// forward, and who joins sets it back. But a claim that ended may be renewed.
type looked struct {
	low   Cursor // no claim was before it then
	least uint64 // no claim is before it, nor will be: not behind low
	at    int64  // by unixNano
}

// Topics with more claims than manyClaims are gone through once in claimsPause at
// most: meanwhile the layer hears what was found last.
const (
	manyClaims  = 64
	claimsPause = int64(50 * time.Millisecond)
)

// look goes through the claims of a topic, unless the last look answers the question.
// Called with the shard's claims locked.
func (s *shard) look(t *topic, k *look) {
	last := s.looks.Get(t)
	if last.low.Epoch == k.upTo.Epoch && (last.least >= k.lowest.Seq || k.now-last.at < claimsPause) {
		k.lowest.Seq = min(k.lowest.Seq, last.low.Seq)
		return
	}
	mine := *k
	mine.lowest, mine.least = k.upTo, k.upTo.Seq
	n := 0
	for f := range t.Followers {
		mine.at(f.(*following))
		n++
	}
	if n > manyClaims {
		s.looks.Set(t, looked{mine.lowest, mine.least, k.now})
	} else {
		s.looks.Delete(t)
	}
	k.ended = mine.ended
	k.lowest.Seq = min(k.lowest.Seq, mine.lowest.Seq)
}

// forgetLook forgets the last look at a topic that is released.
func (s *shard) forgetLook(t *topic) {
	s.claims.Lock()
	defer s.claims.Unlock()
	s.looks.Delete(t)
}

// acknowledged is Local.Acknowledged.
func (h *Hub) acknowledged(of Address, upTo Cursor) Cursor {
	k := look{upTo: upTo, lowest: upTo, now: unixNano(), timeout: int64(h.opts.Limits.ClaimTimeout)}
	h.table.look(of, &k)
	h.claimsEnded.Add(int64(len(k.ended)))
	for _, c := range k.ended {
		c.overdue(upTo)
	}
	if k.lowest != upTo {
		h.watch.add(of, upTo)
	}
	return k.lowest
}

// look goes through all claims on the log of an address.
func (t *table) look(of Address, k *look) {
	s := t.shard(of)
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.claims.Lock()
	defer s.claims.Unlock()
	for at := s.topics.Get(of); at != nil; at = at.next {
		s.look(at, k)
	}
	for _, l := range s.listeners.Get(of) {
		if l.behind != nil {
			k.at(l)
		}
	}
}

// Acknowledged is what a layer asks before it trims.
func (l local) Acknowledged(of Address, upTo Cursor) Cursor { return l.hub.acknowledged(of, upTo) }

// claimWatch looks again at logs whose trimming a claim held up, so that the claim
// ends in time even where nobody appends any more. It has a timer while there are any.
type claimWatch struct {
	hub *Hub

	mu     sync.Mutex // guards what follows
	logs   map[Address]Cursor
	timer  *time.Timer
	closed bool
}

// add has a log looked at again.
func (w *claimWatch) add(of Address, upTo Cursor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if w.logs == nil {
		w.logs = make(map[Address]Cursor)
	}
	w.logs[of] = upTo
	if w.timer == nil {
		w.timer = time.AfterFunc(max(w.hub.opts.Limits.ClaimTimeout/4, time.Millisecond), w.again)
	}
}

// again looks at all of them.
func (w *claimWatch) again() {
	w.mu.Lock()
	logs := w.logs
	w.logs, w.timer = nil, nil
	w.mu.Unlock()
	for of, upTo := range logs {
		w.hub.acknowledged(of, upTo)
	}
}

func (w *claimWatch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
