package parley

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// memoryCursors are the named cursors of a log, the one that was moved longest
// ago first.
type memoryCursors []memoryCursor

type memoryCursor struct {
	name  string
	seq   uint64
	moved int64 // by unixNano
}

const cursorCost = 64

func (c *memoryCursor) cost() int64 { return int64(len(c.name)) + cursorCost }

func (cs memoryCursors) index(name string) int {
	return slices.IndexFunc(cs, func(c memoryCursor) bool { return c.name == name })
}

// set adds a cursor, or moves the one of its name forward.
func (cs *memoryCursors) set(c memoryCursor) {
	if at := cs.index(c.name); at >= 0 {
		old := (*cs)[at]
		c.name, c.seq = old.name, max(c.seq, old.seq)
		*cs = slices.Delete(*cs, at, at+1)
	}
	*cs = append(*cs, c)
}

// room reports whether there may be a cursor of a name.
func (cs memoryCursors) room(name string) bool {
	others := len(cs)
	if cs.index("") >= 0 {
		others--
	}
	return name == "" || others < MaxCursors || cs.index(name) >= 0
}

// expire forgets those that were moved before a time. It returns what they cost, and
// the furthest place of one.
func (cs *memoryCursors) expire(before int64) (freed int64, furthest uint64) {
	for len(*cs) > 0 && (*cs)[0].moved < before {
		freed += (*cs)[0].cost()
		furthest = max(furthest, (*cs)[0].seq)
		*cs = slices.Delete(*cs, 0, 1)
	}
	return freed, furthest
}

// errCursors is of a device more than there may be.
var errCursors = &Error{Conflict, fmt.Sprintf("there are %d devices already: a client is to name the same one each time", MaxCursors)}

// errNoPlace is of a cursor that is to be where its log has no place.
var errNoPlace = &Error{Unavailable, "the place is not in the log any more"}

func (m *memoryLink) Cursors(_ context.Context, of Address) (map[string]Cursor, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	s := m.layer.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	named := make(map[string]Cursor)
	if log := s.find(of, unixNano()); log != nil {
		for _, c := range log.cursors {
			named[c.name] = Cursor{s.layer.epoch, c.seq}
		}
	}
	return named, nil
}

// Introduce fails where there is no memory for the cursor.
func (m *memoryLink) Introduce(_ context.Context, of Address, name string, at Cursor) error {
	err := m.move(of, name, at, true)
	if err == errMemoryFull && m.layer.sweep() {
		err = m.move(of, name, at, true)
	}
	return err
}

// Advance does nothing where there is no memory for another name.
func (m *memoryLink) Advance(of Address, name string, to Cursor) { _ = m.move(of, name, to, false) }

// move moves a cursor, or, if it is to be a new one, sets it unless it is there.
func (m *memoryLink) move(of Address, name string, to Cursor, isNew bool) error {
	if err := m.check(); err != nil {
		return err
	}
	retention := m.local.Retention(of)
	s := m.layer.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := unixNano()
	log := s.find(of, now)
	switch {
	case isNew && log != nil && log.cursors.index(name) >= 0:
		return nil
	case to.Epoch != m.layer.epoch || to.Seq > s.head(log).Seq:
		return errNoPlace
	case log != nil && !log.cursors.room(name):
		return errCursors
	}
	var cost int64
	if log == nil {
		log = s.newLog(of, retention)
		cost = log.cost()
	}
	c := memoryCursor{name, to.Seq, now}
	if log.cursors.index(name) < 0 {
		c.name = strings.Clone(name)
		cost += c.cost()
	}
	if !s.layer.reserve(cost) {
		return errMemoryFull
	}
	s.add(log)
	log.cursors.set(c)
	return nil
}
