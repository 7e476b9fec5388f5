package disklayer

import (
	"maps"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// cursorName names a cursor.
type cursorName struct {
	of   parley.Address
	name string
}

// introduces waits until nobody introduces a cursor. The function ends that nobody
// else does.
func (c *cursors) introduces(n cursorName) (over func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.fresh[n] != nil {
		other := c.fresh[n]
		c.mu.Unlock()
		<-other
		c.mu.Lock()
	}
	mine := make(chan struct{})
	c.fresh[n] = mine
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.fresh, n)
		close(mine)
	}
}

// introduce writes a cursor unless there is one, and returns once it is safe. It
// does so beside others, but not beside a flush, which it could undo.
func (s *store) introduce(of parley.Address, keep parley.Retention, name string, at parley.Cursor) error {
	defer s.cursors.introduces(cursorName{of, name})()
	s.cursors.flushing.RLock()
	defer s.cursors.flushing.RUnlock()
	stored, err := s.storedCursors(of)
	if err != nil {
		return err
	}
	head, err := s.head(of)
	if err != nil {
		return err
	}
	all := maps.Clone(stored)
	merge(all, s.cursors.of(of), head)
	if _, known := all[name]; known || at.Epoch != head.Epoch || at.Seq > head.Seq {
		return nil
	}
	fresh := named{at, s.cfg.now().UnixNano()}
	all[name] = fresh
	all = s.remembered(all, keep)
	return s.run(true, func(b *pebble.Batch) {
		for old := range stored {
			if _, ok := all[old]; !ok {
				_ = b.Delete(cursorKey(of, old), nil)
			}
		}
		_ = b.Set(cursorKey(of, name), fresh.append(nil), nil)
	})
}
