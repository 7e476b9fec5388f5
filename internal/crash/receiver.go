package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/crash/history"
	"github.com/parley-rt/parley/internal/crash/ops"
)

// receiver gets a user's messages and those of some groups, over one connection
// after the other, each of which goes on where the one before was lost.
type receiver struct {
	*run
	name    string
	user    string
	rng     *rand.Rand
	absent  bool      // it joins, and then stays away to the end
	forgets bool      // it has no cursor of the user's messages, but a device
	slow    bool      // it stops reading at times, and the kernel holds little for it
	path    string    // of its kind of consumer
	plain   bool      // what it gets has no cursors
	steady  bool      // it cuts its connection seldom
	members []*member // the user's first
	pending int       // how many of them did not join for the first time yet
	opened  int       // connections
	late    int       // those in the end
	ended   error     // why the last one did
}

// member is a receiver's membership of one address.
type member struct {
	history.View
	cursor parley.Cursor // of what came last
	joined bool          // on this connection
	done   bool          // the end has come
}

// newReceivers returns those of all users, and second devices of some. The last
// few stay away, and are members of every group.
func (r *run) newReceivers() []*receiver {
	var all []*receiver
	for i := range r.cfg.Receivers {
		v := &receiver{
			run: r, name: fmt.Sprintf("receiver %d", i), user: r.world.users[i%len(r.world.users)],
			rng: r.random(1<<33 + uint64(i)), absent: i >= r.cfg.Receivers*19/20, slow: i%7 == 0, path: "/",
		}
		// Another one of the user's reads all of what a copy holds.
		v.forgets = i%2 == 0 && i+len(r.world.users) < r.cfg.Receivers
		if r.cfg.Storm {
			v.storm(i)
		}
		v.add(parley.User(v.user))
		for _, group := range r.world.groups {
			if v.plain {
				break
			}
			if v.absent || v.rng.IntN(8) == 0 {
				v.add(group)
			}
		}
		v.members[0].Acknowledges = v.forgets
		v.pending = len(v.members)
		r.joined.Add(1)
		all = append(all, v)
	}
	return all
}

func (v *receiver) add(to parley.Address) {
	v.members = append(v.members, &member{View: history.View{Receiver: v.name, Address: to}})
}

func (v *receiver) find(to parley.Address) *member {
	for _, m := range v.members {
		if m.Address == to {
			return m
		}
	}
	return nil
}

// done reports whether all has come.
func (v *receiver) done() bool {
	for _, m := range v.members {
		if !m.done {
			return false
		}
	}
	return true
}

// String says how far it got.
func (v *receiver) String() string {
	lacks := 0
	for _, m := range v.members {
		if !m.done {
			lacks++
		}
	}
	return fmt.Sprintf("%s lacks the end of %d addresses of %d, after %d connections, %d of them in the end, the last of which ended so: %v",
		v.name, lacks, len(v.members), v.opened, v.late, v.ended)
}

// receive returns once all has come, nothing comes any more, or ctx ends.
func (v *receiver) receive(ctx context.Context) {
	defer func() {
		if v.pending > 0 {
			v.run.joined.Done()
		}
	}()
	for ctx.Err() == nil && !v.done() {
		by := &net.Dialer{}
		if v.slow { // the kernel holds little that it did not read
			by.Control = narrow
		}
		c, err := dialBy(ctx, v.node.addr(), v.path, by)
		if err != nil {
			rest(ctx, 10*time.Millisecond, nil)
			continue
		}
		v.connections.Add(1)
		v.opened++
		if isClosed(v.ending) {
			v.late++
		}
		v.ended = v.session(ctx, c)
		c.close()
		if errors.Is(v.ended, errSilent) && isClosed(v.ending) { // all there is was there when it connected
			return
		}
		v.away(ctx)
	}
}

// away is the time between two connections: mostly none.
func (v *receiver) away(ctx context.Context) {
	if v.absent && v.pending == 0 {
		rest(ctx, time.Hour, v.ending)
		return
	}
	longest := 20 * time.Millisecond
	switch n := v.rng.IntN(20); {
	case n < 1:
		longest = 3 * time.Second
	case n < 6:
		longest = 500 * time.Millisecond
	}
	rest(ctx, upTo(v.rng, longest), v.ending)
}

// session receives on one connection until that is lost or all has come.
func (v *receiver) session(ctx context.Context, c *client) error {
	if err := v.joinAll(c); err != nil {
		return err
	}
	for !v.done() {
		e, err := v.next(c)
		if err != nil {
			return err
		}
		switch {
		case e.Error != nil:
			v.failf("%s: %w", v.name, e.Error)
		case e.Joined != nil:
			v.noteJoin(e.Joined)
		default:
			v.noteMessage(e)
		}
		if v.pending > 0 || isClosed(v.ending) {
			continue
		}
		if v.absent {
			return errCut
		}
		if v.slow && v.rng.IntN(50) == 0 {
			rest(ctx, upTo(v.rng, 300*time.Millisecond), v.ending)
		}
		if v.cuts() {
			rest(ctx, upTo(v.rng, 50*time.Millisecond), v.ending) // what comes meanwhile it never reads
			return errCut
		}
	}
	return nil
}

func (v *receiver) joinAll(c *client) error {
	var requests []ops.Request
	for i, m := range v.members {
		m.joined = false
		r := ops.Request{Op: ops.Join, To: m.Address, After: m.cursor}
		switch {
		case i == 0 && v.forgets:
			r = ops.Request{Op: ops.Hello, User: v.user, Device: v.name}
		case i == 0:
			r = ops.Request{Op: ops.Hello, User: v.user, After: m.cursor}
		}
		requests = append(requests, r)
	}
	return c.send(requests...)
}

func (v *receiver) noteJoin(j *ops.Joined) {
	m := v.find(j.To)
	if m == nil || m.joined {
		v.failf("%s: joined %v, for which it did not ask", v.name, j.To)
		return
	}
	if m.Events == nil {
		if v.pending--; v.pending == 0 {
			v.run.joined.Done()
		}
	}
	m.joined = true
	m.Events = append(m.Events, history.Event{Join: &history.Join{After: m.cursor, At: j.At, Missed: j.Missed}})
	m.cursor = j.At
}

func (v *receiver) noteMessage(e ops.Event) {
	m := v.find(e.To)
	if m == nil || !m.joined {
		v.failf("%s: got a message to %v before it had joined it", v.name, e.To)
		return
	}
	id := v.world.identify(e.Data)
	m.Events = append(m.Events, history.Event{Cursor: e.Cursor, ID: id})
	m.cursor = e.Cursor
	m.done = m.done || v.isEnd(id)
	v.delivered.Add(1)
}
