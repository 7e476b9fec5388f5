package parley

import (
	"sync"

	"github.com/parley-rt/parley/internal/lean"
)

// joinings are the joins under way at one hub: others who ask for the same one wait for
// its outcome. They are no field of a Conn, which would pay for it ever after.
type joinings struct {
	mu sync.Mutex // guards of; locked after a connection's
	of lean.Map[joinID, *joining]
}

type joinID struct {
	conn *Conn
	to   Address
}

// joining is one of them; nil for what was put off, for which nobody waits.
type joining struct {
	done chan struct{} // closed when err is known
	err  error
}

// find returns the join of an address that is under way, nil where none is.
func (j *joinings) find(id joinID) *joining {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.of.Get(id)
}

// begin adds a join, unless it is under way: then it returns the other one.
func (j *joinings) begin(id joinID) (mine, other *joining) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if other = j.of.Get(id); other != nil {
		return nil, other
	}
	mine = &joining{done: make(chan struct{})}
	j.of.Set(id, mine)
	return mine, nil
}

// end tells whoever waits for a join how it ended. Only the first call for it counts.
func (j *joinings) end(id joinID, of *joining, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if found := j.of.Get(id); found != nil && found == of {
		j.of.Delete(id)
		found.err = err
		close(found.done)
	}
}

// ask notes that an address is to be joined. It returns the join that the caller is to
// make, or another one to wait for; neither where there is nothing to do now: the join
// is put off, or not to be, or there is an error. A user's name is the connection's
// from here on.
func (c *Conn) ask(to Address, later func()) (mine, other *joining, err error) {
	joins := &c.handler.hub.joins
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.kind == kindUser && c.user != "" {
		if c.user != to.name {
			return nil, nil, &Error{Conflict, "the connection is another user's"}
		}
		return nil, joins.find(joinID{c, to}), nil
	}
	if c.left {
		return nil, nil, ErrClosed
	}
	if c.setup != nil {
		err = c.laterJoin(to, later)
	} else {
		mine, other = joins.begin(joinID{c, to})
	}
	if to.kind == kindUser && err == nil {
		c.user = to.name
	}
	return mine, other, err
}

// await returns how another goroutine's join ended.
func (c *Conn) await(j *joining) error {
	select {
	case <-j.done:
		return j.err
	case <-c.Context().Done():
		return ErrClosed
	}
}
