package main

// everyone is the name of the room that no user has.
const everyone = ""

// room is the connections of one user, or those of everyone.
type room struct {
	name  string
	conns []*conn
	out   []byte // frames that all of them get with the next write
}

// enter puts a connection into the room of a name.
func (l *loop) enter(c *conn, name string) {
	r := l.rooms[name]
	if r == nil {
		r = &room{name: name}
		l.rooms[name] = r
	}
	c.room, c.place = r, len(r.conns)
	r.conns = append(r.conns, c)
}

// leave puts the room's last connection into the place of one that ended.
func (r *room) leave(c *conn) {
	last := len(r.conns) - 1
	r.conns[c.place] = r.conns[last]
	r.conns[c.place].place = c.place
	r.conns[last] = nil
	r.conns = r.conns[:last]
}

// relay sends a message to a room, which is nil if nobody ever entered it: at once, or at the end of the round of events.
func (l *loop) relay(payload []byte, to *room) {
	if to == nil {
		return
	}
	if len(to.out) == 0 {
		l.waiting = append(l.waiting, to)
	}
	to.out = appendText(to.out, payload)
	if !l.coalesce {
		l.flush()
	}
}

// flush writes what waits for each room to all of its connections.
func (l *loop) flush() {
	for _, r := range l.waiting {
		for i := len(r.conns) - 1; i >= 0; i-- { // from the end, for a connection that cannot be written to leaves
			l.send(r.conns[i], r.out)
		}
		r.out = r.out[:0]
	}
	l.waiting = l.waiting[:0]
}
