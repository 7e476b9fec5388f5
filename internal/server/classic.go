package server

import (
	"context"
	"errors"

	"github.com/parley-rt/parley"
)

// broadcast is the group of the connections on /ws/. Names of groups that begin
// with a slash are the server's own: no client can join one by name.
var broadcast = parley.Group("/ws/")

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
	return reply(c, "", c.Send(c.Context(), broadcast, m))
}

func (e everyone) Disconnect(*parley.Conn, parley.CloseCode) { e.slots.release() }

// person is the consumer of a connection on /ws/{username}/: it gets what is
// sent to its user, and sends to one user at a time.
type person struct {
	parley.Base
	slots *slots
	ack   bool // the client asked to be told of each message sent
}

func (p *person) Connect(c *parley.Conn) error {
	r := c.Request()
	if err := c.Identify(r.PathValue("username"), nil); err != nil {
		return err
	}
	p.ack = r.URL.Query().Get("ack") == "1"
	return p.slots.take()
}

func (p *person) Receive(c *parley.Conn, m parley.Message) error {
	to, err := recipient(m)
	if err == nil {
		err = sendToUser(c.Context(), c.Hub(), to, m, c.Send)
	}
	if err != nil || !p.ack {
		return reply(c, to, err)
	}
	return replyJSON(c, map[string]ack{"ack": {ToUser: to, State: stateSent}})
}

func (p *person) Disconnect(*parley.Conn, parley.CloseCode) { p.slots.release() }

// recipient returns the to_user of a message.
func recipient(m parley.Message) (string, error) {
	if m.Binary {
		return "", badRequest("expected a text message that holds a JSON object")
	}
	value, err := member(m.Data, "to_user")
	if err != nil {
		return "", err
	}
	return text(value, "to_user")
}

// sendToUser sends m to all connections of a user by send, which is Conn.Send or
// Hub.Send. Its error has the code NotFound when there are none.
func sendToUser(ctx context.Context, hub *parley.Hub, name string, m parley.Message, send sendFunc) error {
	online, err := hub.Online(ctx, name)
	if err != nil {
		return err
	}
	if !online {
		return &parley.Error{Code: parley.NotFound, Message: "nobody of that name is connected"}
	}
	return send(ctx, parley.User(name), m)
}

type sendFunc func(context.Context, parley.Address, parley.Message, ...parley.SendOption) error

// stateSent is told of a message that was handed to live connections.
const stateSent = "sent"

type ack struct {
	ToUser string `json:"to_user"`
	State  string `json:"state"`
}

// failure is what a client is told of a message that was not sent.
type failure struct {
	*parley.Error
	ToUser string `json:"to_user,omitempty"`
}

// reply tells a client of an error, if it is one to tell; the connection stays
// open. Any other ends it. One that is closing needs no telling.
func reply(c *parley.Conn, to string, err error) error {
	if err == nil || errors.Is(err, parley.ErrClosed) {
		return nil
	}
	told, ok := errors.AsType[*parley.Error](err)
	if !ok {
		return err
	}
	return replyJSON(c, map[string]failure{"error": {told, to}})
}

func replyJSON(c *parley.Conn, v any) error {
	m, err := parley.JSONMessage(v)
	if err != nil {
		return err
	}
	if err := c.Reply(m); !errors.Is(err, parley.ErrClosed) {
		return err
	}
	return nil
}
