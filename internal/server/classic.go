package server

import (
	"github.com/parley-rt/parley"
)

// broadcast is the group of the connections on /ws/. Names of groups that begin
// with a slash are the server's own: no client can join one by name.
var broadcast = parley.Group("/ws/")

// notKept sends what nobody could read later, whatever --keep says of groups.
var notKept = []parley.SendOption{parley.Keep(false)}

// everyone is the consumer of a connection on /ws/: what it sends, all of them
// get, itself included.
type everyone struct {
	parley.Base
	slots *slots
}

func (e everyone) Connect(c *parley.Conn) error {
	if err := c.Join(broadcast, nil); err != nil {
		return err
	}
	return e.slots.take()
}

func (everyone) Receive(c *parley.Conn, m parley.Message) error {
	return reply(c, c.Send(c.Context(), broadcast, m, notKept...))
}

func (e everyone) Disconnect(*parley.Conn, parley.CloseCode) { e.slots.release() }
