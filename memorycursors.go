package parley

import (
	"context"
	"slices"
	"strings"
)

// memoryCursors are the named cursors of a log, the one that was moved longest
// ago first.
type memoryCursors []memoryCursor

type memoryCursor struct {
	name  string
	seq   uint64
	moved int64 // Unix nanoseconds
}

const (
	maxCursors = 64
	cursorCost = 64
)

func (c *memoryCursor) cost() int64 { return int64(len(c.name)) + cursorCost }

func (cs memoryCursors) index(name string) int {
	return slices.IndexFunc(cs, func(c memoryCursor) bool { return c.name == name })
}

// set adds a cursor, or moves the one of its name forward. It returns what the
// one costs that is forgotten for it.
func (cs *memoryCursors) set(c memoryCursor) (freed int64) {
	at := cs.index(c.name)
	switch {
	case at >= 0:
		old := (*cs)[at]
		c.name, c.seq = old.name, max(c.seq, old.seq)
	case len(*cs) == maxCursors:
		at, freed = 0, (*cs)[0].cost()
	}
	if at >= 0 {
		*cs = slices.Delete(*cs, at, at+1)
	}
	*cs = append(*cs, c)
	return freed
}

// expire forgets those that were moved before a time, and returns what they
// cost.
func (cs *memoryCursors) expire(before int64) (freed int64) {
	for len(*cs) > 0 && (*cs)[0].moved < before {
		freed += (*cs)[0].cost()
		*cs = slices.Delete(*cs, 0, 1)
	}
	return freed
}

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

// Introduce sets a cursor if there is room for another name.
func (m *memoryLink) Introduce(_ context.Context, of Address, name string, at Cursor) error {
	m.move(of, name, at, true)
	return m.check()
}

// Advance does nothing where there is no room for another name.
func (m *memoryLink) Advance(of Address, name string, to Cursor) { m.move(of, name, to, false) }

// move moves a cursor, or, if it is to be a new one, sets it unless it is there.
func (m *memoryLink) move(of Address, name string, to Cursor, isNew bool) {
	if m.check() != nil || to.Epoch != m.layer.epoch {
		return
	}
	retention := m.local.Retention(of)
	s := m.layer.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := unixNano()
	log := s.find(of, now)
	if to.Seq > s.head(log).Seq || isNew && log != nil && log.cursors.index(name) >= 0 {
		return
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
		return
	}
	s.add(log)
	s.layer.reserve(-log.cursors.set(c))
}
