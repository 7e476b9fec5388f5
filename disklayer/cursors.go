package disklayer

import (
	"encoding/binary"
	"maps"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

const (
	maxCursors = 64      // of one address
	maxMoves   = 1 << 17 // that wait to be written
)

// named is a named cursor.
type named struct {
	at    parley.Cursor
	moved int64 // Unix time in nanoseconds
}

// cursors are the moves of named cursors that are not stored yet.
type cursors struct {
	mu      sync.Mutex // guards what follows
	moves   map[parley.Address]map[string]named
	writing map[parley.Address]map[string]named // those on their way to the store
	count   int                                 // of moves
}

func (c *cursors) init() { c.moves = map[parley.Address]map[string]named{} }

// move notes a move, and reports whether there are many by now. Those that do
// not fit are lost.
func (c *cursors) move(of parley.Address, name string, to named) (many bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	moves := c.moves[of]
	old, ok := moves[name]
	if !ok && c.count >= maxMoves {
		return true
	}
	if moves == nil {
		moves = map[string]named{}
		c.moves[cloneAddress(of)] = moves
	}
	if !ok {
		c.count++
	}
	moves[name] = furthest(old, to)
	return c.count >= maxMoves/2
}

// begin returns the moves to be written; written ends that.
func (c *cursors) begin() map[parley.Address]map[string]named {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing, c.moves, c.count = c.moves, map[parley.Address]map[string]named{}, 0
	return c.writing
}

func (c *cursors) written() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = nil
}

// waiting reports whether a cursor has a move that is not stored.
func (c *cursors) waiting(of parley.Address, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, moved := c.moves[of][name]
	return moved
}

// merge adds the moves of an address to what is stored.
func (c *cursors) merge(of parley.Address, into map[string]named) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, moves := range []map[string]named{c.writing[of], c.moves[of]} {
		for name, to := range moves {
			into[name] = furthest(into[name], to)
		}
	}
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
	if to.Epoch == s.epoch && s.cursors.move(of, name, named{to, s.cfg.now().UnixNano()}) {
		s.keeper.measureSoon()
	}
}

// namedCursors returns the named cursors of an address that are remembered.
func (s *store) namedCursors(of parley.Address, keep parley.Retention) (map[string]named, error) {
	all, err := s.storedCursors(of)
	if err != nil {
		return nil, err
	}
	s.cursors.merge(of, all)
	return s.remembered(all, keep), nil
}

// remembered forgets cursors that are too old or too many.
func (s *store) remembered(all map[string]named, keep parley.Retention) map[string]named {
	before := s.cfg.now().Add(-keep.Age).UnixNano()
	maps.DeleteFunc(all, func(_ string, n named) bool { return n.moved < before })
	for len(all) > maxCursors {
		oldest := ""
		for name, n := range all {
			if old, ok := all[oldest]; !ok || n.moved < old.moved {
				oldest = name
			}
		}
		delete(all, oldest)
	}
	return all
}

func (s *store) storedCursors(of parley.Address) (map[string]named, error) {
	prefix := addressKey(keyCursor, of)
	keys, values, err := s.keys(prefix, after(prefix), 2*maxCursors)
	if err != nil {
		return nil, err
	}
	all := make(map[string]named, len(keys))
	for i, key := range keys {
		n, err := parseNamed(values[i])
		if err != nil {
			return nil, err
		}
		all[string(key[len(prefix):])] = n
	}
	return all, nil
}

// flushCursors writes the moves, as far as the store goes. The keeper calls it.
func (s *store) flushCursors() error {
	moves := s.cursors.begin()
	defer s.cursors.written()
	if len(moves) == 0 {
		return nil
	}
	var changes []func(*pebble.Batch)
	for of := range moves {
		change, err := s.cursorChange(of, moves[of])
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	return s.run(false, func(b *pebble.Batch) {
		for _, change := range changes {
			change(b)
		}
	})
}

// cursorChange returns how the moves of one address are written.
func (s *store) cursorChange(of parley.Address, moves map[string]named) (func(*pebble.Batch), error) {
	keep, ok := s.hubs.retention(of)
	if !ok {
		return func(*pebble.Batch) {}, nil
	}
	stored, err := s.storedCursors(of)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(stored)
	for name, to := range moves {
		all[name] = furthest(all[name], to)
	}
	all = s.remembered(all, keep)
	return func(b *pebble.Batch) {
		for name := range stored {
			if _, ok := all[name]; !ok {
				_ = b.Delete(cursorKey(of, name), nil)
			}
		}
		for name := range moves {
			if n, ok := all[name]; ok {
				_ = b.Set(cursorKey(of, name), n.append(nil), nil)
			}
		}
	}, nil
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

func parseNamed(b []byte) (n named, err error) {
	if len(b) != 3*8 {
		return n, errRecord
	}
	n.at = parley.Cursor{Epoch: binary.BigEndian.Uint64(b), Seq: binary.BigEndian.Uint64(b[8:])}
	n.moved = int64(binary.BigEndian.Uint64(b[16:]))
	return n, nil
}
