package disklayer

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// maxMoves bounds the moves that wait to be written.
const maxMoves = 1 << 17

// named is a named cursor.
type named struct {
	at    parley.Cursor
	moved int64 // by the layer's clock, Unix time in nanoseconds
}

// moves are those of named cursors, by address and name.
type moves map[parley.Address]map[string]named

// cursors are the moves of named cursors that are not stored yet. A place of a log
// that is not in memory may be beyond its head: such moves are kept apart until
// that is known, so that they take nothing from those that are not. Of one name's the
// furthest is kept: no hub moves a cursor to a place that it was not given.
type cursors struct {
	flushing sync.RWMutex                        // held while cursors are written
	stored   map[parley.Address]map[string]named // what the store has of addresses that are written often; see storedOften

	mu          sync.Mutex // guards what follows
	sure        moves
	unsure      moves
	writing     []moves                          // those on their way to the store
	count       int                              // of sure and unsure
	introducing map[parley.Address]chan struct{} // those with a cursor that is being introduced; closed once it is
}

func (c *cursors) init() {
	c.clear()
	c.introducing = map[parley.Address]chan struct{}{}
}

// clear forgets the moves. Called with mu held.
func (c *cursors) clear() { c.sure, c.unsure, c.count = moves{}, moves{}, 0 }

// move notes a move, and reports whether it is the only one, and whether there are many
// by now. Those that do not fit are lost.
func (c *cursors) move(of parley.Address, name string, to named, sure bool) (only, many bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.unsure
	if sure {
		all = c.sure
	}
	old, ok := all[of][name]
	if !ok && c.count >= maxMoves {
		return false, true
	}
	if all[of] == nil {
		all[cloneAddress(of)] = map[string]named{}
	}
	if !ok {
		name = strings.Clone(name)
		c.count++
	}
	all[of][name] = furthest(old, to)
	return !ok && c.count == 1, c.count >= maxMoves/2
}

// begin returns the moves to be written; written ends that.
func (c *cursors) begin() []moves {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = []moves{c.sure, c.unsure}
	c.clear()
	return c.writing
}

func (c *cursors) written() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = nil
}

// of returns all moves of an address that are not stored.
func (c *cursors) of(a parley.Address) map[string][]named {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string][]named{}
	for _, m := range append(c.writing[:len(c.writing):len(c.writing)], c.sure, c.unsure) {
		for name, to := range m[a] {
			found[name] = append(found[name], to)
		}
	}
	return found
}

// merge moves a cursor, but not beyond the head. One that was forgotten between two
// moves is a new one with the later.
func merge(into map[string]named, name string, places []named, head parley.Cursor, keep parley.Retention) {
	for _, to := range places {
		if to.at.Epoch != head.Epoch || to.at.Seq > head.Seq {
			continue
		}
		switch old := into[name]; {
		case to.moved-old.moved > int64(keep.CursorAge()):
			into[name] = to
		case old.moved-to.moved <= int64(keep.CursorAge()):
			into[name] = furthest(old, to)
		}
	}
}

// hasRoom reports whether there may be a cursor of a name besides others.
func hasRoom(all map[string]named, name string) bool {
	others := len(all)
	if _, ok := all[""]; ok {
		others--
	}
	_, known := all[name]
	return name == "" || known || others < parley.MaxCursors
}

// merged returns stored cursors as they are after moves, without those that are too
// old. Moves of new names have what room is left.
func (s *store) merged(stored map[string]named, moved map[string][]named, head parley.Cursor, keep parley.Retention) map[string]named {
	all := maps.Clone(stored)
	var added []string
	for name, places := range moved {
		if _, known := stored[name]; known {
			merge(all, name, places, head, keep)
		} else {
			added = append(added, name)
		}
	}
	s.forgetOld(all, keep)
	if len(added) == 0 {
		return all
	}
	slices.Sort(added) // so that reading and writing find room for the same ones
	for _, name := range added {
		if hasRoom(all, name) {
			merge(all, name, moved[name], head, keep)
		}
	}
	s.forgetOld(all, keep)
	return all
}

// furthest returns where a cursor is that is told to move.
func furthest(old, to named) named {
	if old.at.Epoch == to.at.Epoch && old.at.Seq > to.at.Seq {
		to.at = old.at
	}
	return to
}

// advance moves a named cursor.
func (s *store) advance(of parley.Address, name string, to parley.Cursor) {
	if to.Epoch != s.epoch {
		return
	}
	head, sure := s.logs.peek(of)
	if sure && to.Seq > head {
		return
	}
	s.goOn(of, to.Seq)
	only, many := s.cursors.move(of, name, named{to, s.cfg.clock.Now()}, sure)
	if only {
		wakeUp(s.keeper.moved)
	}
	if many {
		wakeUp(s.keeper.save)
	}
}

// namedCursors returns the named cursors of an address that are remembered.
func (s *store) namedCursors(of parley.Address, keep parley.Retention) (map[string]named, error) {
	moved := s.cursors.of(of) // before what is stored is read
	all, err := s.storedCursors(of)
	if err != nil {
		return nil, err
	}
	head, err := s.head(of)
	if err != nil {
		return nil, err
	}
	named := s.merged(all, moved, head, keep)
	return named, s.forgetNow(of, all, named)
}

// forgetNow has a log note what cursors are too old, which the sweep will delete.
func (s *store) forgetNow(of parley.Address, stored, named map[string]named) error {
	gone := without(stored, named)
	if len(gone) == 0 {
		return nil
	}
	l, err := s.log(of)
	if err != nil {
		return err
	}
	defer s.logs.unpin(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	s.forget(l, gone)
	return nil
}

// without returns the cursors of one map whose names are not in the other, nil for none.
func without(all, other map[string]named) (rest map[string]named) {
	for name, n := range all {
		if _, ok := other[name]; !ok {
			if rest == nil {
				rest = map[string]named{}
			}
			rest[name] = n
		}
	}
	return rest
}

// forgetOld forgets cursors that were not moved for long.
func (s *store) forgetOld(all map[string]named, keep parley.Retention) {
	before := s.cfg.clock.Before(keep.CursorAge())
	maps.DeleteFunc(all, func(_ string, n named) bool { return n.moved < before })
}

func (s *store) storedCursors(of parley.Address) (map[string]named, error) {
	prefix := addressKey(keyCursor, of)
	keys, values, err := s.keys(prefix, after(prefix), 2*parley.MaxCursors)
	if err != nil {
		return nil, err
	}
	all := make(map[string]named, len(keys))
	for i, key := range keys {
		n, err := s.parseNamed(values[i])
		if err != nil {
			return nil, err
		}
		all[string(key[len(prefix):])] = n
	}
	return all, nil
}

// maxStored and maxStoredNames bound the addresses whose stored cursors are remembered,
// and how many each may have: some 20 MB of names at most.
const (
	maxStored      = 1 << 14
	maxStoredNames = 4
)

// storedOften is storedCursors for flushes, which write those of the same addresses
// again and again: reading them takes longer than all else. The caller has locked
// flushing, and writes what it puts into stored. Whoever else writes cursors of an
// address forgets it there.
func (s *store) storedOften(of parley.Address) (map[string]named, error) {
	if stored, ok := s.cursors.stored[of]; ok {
		return stored, nil
	}
	if len(s.cursors.stored) >= maxStored || s.cursors.stored == nil {
		s.cursors.stored = map[parley.Address]map[string]named{}
	}
	return s.storedCursors(of)
}

// forgetStored is for whoever wrote cursors of an address, and holds flushing.
func (c *cursors) forgetStored(of parley.Address) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.stored, of)
}

// flushCursors writes the moves. They are synced, once for all of them: what is
// not stays in this process for as long as nothing is appended.
func (s *store) flushCursors() error {
	_, err := s.flushTimed()
	return err
}

// flushTimed is flushCursors that returns how long a processor was at work, not what
// the disk took.
func (s *store) flushTimed() (work time.Duration, err error) {
	s.cursors.flushing.Lock()
	defer s.cursors.flushing.Unlock()
	began := time.Now()
	change, failed := s.cursorChanges()
	work = time.Since(began)
	if change == nil {
		s.cursors.written()
		return work, failed
	}
	err = s.run(true, func(b *pebble.Batch) {
		began := time.Now()
		change(b)
		work += time.Since(began)
	})
	if err == nil { // else the store ends, and the next one takes them over
		s.cursors.written()
	}
	return work, errors.Join(failed, err)
}

// cursorChanges returns how the moves are written, nil where there are none. Those of
// an address whose cursors cannot be read are lost, and the first error is returned
// besides. The caller has locked flushing.
func (s *store) cursorChanges() (change func(*pebble.Batch), failed error) {
	of := map[parley.Address]bool{}
	for _, m := range s.cursors.begin() {
		for a := range m {
			of[a] = true
		}
	}
	var changes []func(*pebble.Batch)
	for a := range of {
		keep, ok := s.hubs.retention(a)
		if !ok {
			keep.Age = 1<<63 - 1 // all hubs left before the layer is closed
		}
		stored, all, err := s.movedCursors(a, keep)
		if err != nil {
			failed = cmp.Or(failed, s.housekept(a, err))
			continue
		}
		change, err := s.cursorChange(a, stored, all)
		if err != nil {
			failed = cmp.Or(failed, s.housekept(a, err))
			continue
		}
		if len(all) <= maxStoredNames {
			s.cursors.stored[a] = all
		} else {
			delete(s.cursors.stored, a)
		}
		changes = append(changes, change)
	}
	if len(changes) == 0 {
		return nil, failed
	}
	return func(b *pebble.Batch) {
		for _, change := range changes {
			change(b)
		}
	}, failed
}

// movedCursors returns the cursors of one address as they are stored, and as they are
// to be. The caller has locked flushing.
func (s *store) movedCursors(of parley.Address, keep parley.Retention) (stored, all map[string]named, err error) {
	if stored, err = s.storedOften(of); err != nil {
		return nil, nil, err
	}
	head, err := s.head(of)
	if err != nil {
		return nil, nil, err
	}
	return stored, s.merged(stored, s.cursors.of(of), head, keep), nil
}

// cursorChange returns how the cursors of one address are written that are stored
// otherwise, and those deleted that are forgotten. It holds their log in memory until
// that is done. A log with a cursor has bookkeeping, so that its head stays where the
// cursor is, whatever becomes of the floor.
func (s *store) cursorChange(of parley.Address, stored, all map[string]named) (func(*pebble.Batch), error) {
	l, err := s.log(of)
	if err != nil {
		return nil, err
	}
	gone := without(stored, all)
	return func(b *pebble.Batch) {
		defer s.logs.unpin(l)
		for name := range gone {
			_ = b.Delete(cursorKey(of, name), nil)
		}
		for name, n := range all {
			if n != stored[name] {
				_ = b.Set(cursorKey(of, name), n.append(nil), nil)
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		s.forget(l, gone)
		if l.stored && len(gone) > 0 || !l.stored && len(all) > 0 {
			l.stored = true
			s.putBookkeeping(b, l)
		}
	}, nil
}

// forget has a log note how far cursors got that are forgotten: what is before that is
// no loss for a device that comes later. Called with l.mu held.
func (s *store) forget(l *logState, cursors map[string]named) {
	for _, n := range cursors {
		if n.at.Epoch == s.epoch {
			l.base = max(l.base, n.at.Seq)
		}
	}
}

func cursorKey(of parley.Address, name string) []byte {
	return append(addressKey(keyCursor, of), name...)
}

func (n named) append(b []byte) []byte {
	for _, v := range []uint64{n.at.Epoch, n.at.Seq, uint64(n.moved)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// parseNamed reads a stored cursor. None is stored that is beyond its log's head, so
// one of a store that this one is a copy of has its place here.
func (s *store) parseNamed(b []byte) (n named, err error) {
	if len(b) != 3*8 {
		return n, errRecord
	}
	n.at = parley.Cursor{Epoch: binary.BigEndian.Uint64(b), Seq: binary.BigEndian.Uint64(b[8:])}
	if slices.Contains(s.origins, n.at.Epoch) {
		n.at.Epoch = s.epoch
	}
	n.moved = int64(binary.BigEndian.Uint64(b[16:]))
	return n, nil
}
