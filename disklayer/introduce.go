package disklayer

import (
	"errors"
	"fmt"

	"github.com/parley-rt/parley"
)

// lock waits until no cursor of an address is being introduced, and has others wait
// until unlock.
func (c *cursors) lock(of parley.Address) (unlock func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.introducing[of] != nil {
		other := c.introducing[of]
		c.mu.Unlock()
		<-other
		c.mu.Lock()
	}
	mine := make(chan struct{})
	c.introducing[of] = mine
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.introducing, of)
		close(mine)
	}
}

// introduce writes a cursor unless there is one, and returns once it is safe, or the
// one that was moved is. It does so beside others, but not beside a flush, which it
// could undo.
func (s *store) introduce(of parley.Address, keep parley.Retention, name string, at parley.Cursor) error {
	defer s.cursors.lock(of)()
	s.cursors.flushing.RLock()
	defer s.cursors.flushing.RUnlock()
	defer s.cursors.forgetStored(of)
	stored, err := s.storedCursors(of)
	if err != nil {
		return err
	}
	head, err := s.head(of)
	if err != nil {
		return err
	}
	all := s.merged(stored, s.cursors.of(of), head, keep)
	known, ok := all[name]
	switch {
	case ok && known == stored[name]: // it is safe
		return nil
	case !ok && (at.Epoch != head.Epoch || at.Seq > head.Seq):
		return errNoPlace
	case !ok && !hasRoom(all, name):
		return errCursors
	case !ok:
		all[name] = named{at, s.cfg.clock.Now()}
	}
	change, err := s.cursorChange(of, stored, all)
	if err != nil {
		return err
	}
	return s.run(true, change)
}

// errNoPlace is of a cursor that is to be where its log has no place.
var errNoPlace = errors.New("the place is not in the log any more")

// errCursors is of a device more than there may be.
var errCursors error = &parley.Error{
	Code:    parley.Conflict,
	Message: fmt.Sprintf("there are %d devices already: a client is to name the same one each time", parley.MaxCursors),
}
