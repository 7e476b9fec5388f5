package parley

import (
	"context"
	"iter"
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// Member is one user among the connections of an address.
type Member struct {
	User        string // empty for all connections that identified as nobody
	Connections int
	Since       time.Time // when the oldest of them connected
}

// Members yields who is connected and a member of an address, in no order; at
// several hubs of one layer a user is yielded once for each. An error ends it:
// what is missing then is not known.
func (h *Hub) Members(ctx context.Context, of Address) iter.Seq2[Member, error] {
	if err := of.check(); err != nil {
		return func(yield func(Member, error) bool) { yield(Member{}, err) }
	}
	return h.link.Members(ctx, of)
}

// LocalMembers asks the loops for their members of an address.
func (l local) LocalMembers(ctx context.Context, of Address) ([]Member, error) {
	topics, _ := l.hub.table.lookup(of, nil)
	users := make(map[string]*Member)
	for _, t := range topics {
		err := l.hub.engine.Visit(ctx, &t.Topic, func(h socket.Handler) {
			(*Conn)(h.(*events)).countAs(users)
		})
		if err != nil {
			return nil, sendError(err)
		}
	}
	members := make([]Member, 0, len(users))
	for _, m := range users {
		members = append(members, *m)
	}
	return members, nil
}

// countAs adds c to the members by user.
func (c *Conn) countAs(users map[string]*Member) {
	user, since := c.User(), time.Unix(0, c.since)
	m := users[user]
	if m == nil {
		m = &Member{User: user, Since: since}
		users[user] = m
	}
	m.Connections++
	if since.Before(m.Since) {
		m.Since = since
	}
}
