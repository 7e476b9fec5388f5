package server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/parley-rt/parley"
)

// person is the consumer of a connection on /ws/{username}/: it gets what is
// sent to its user, and sends to one user at a time. Many of its messages may be
// on their way to the disk at once.
type person struct {
	parley.Base
	slots   *slots
	log     *slog.Logger
	answers *answers // nil until something is sent, and where only failures are told
	ack     bool     // the client asked to be told of each message sent
}

func (p *person) Connect(c *parley.Conn) error {
	r := c.Request()
	query := r.URL.Query()
	options := &parley.JoinOptions{Missed: func(m parley.Missed) { p.tellMissed(c, m) }}
	if devices, ok := query["device"]; ok {
		if options.Device = devices[0]; len(devices) > 1 || options.Device == "" {
			return badRequest("device must be given once, and not be empty")
		}
	}
	if err := c.Identify(r.PathValue("username"), options); err != nil {
		return err
	}
	p.ack = query.Get("ack") == "1"
	return p.slots.take()
}

// missed is what a client is told of messages that it does not get.
type missed struct {
	Messages int64 `json:"messages"` // 0 where nobody knows how many
	Overdue  bool  `json:"overdue,omitempty"`
}

// tellMissed tells the client that messages of its user are lost to it, or may be.
func (p *person) tellMissed(c *parley.Conn, m parley.Missed) {
	if err := replyJSON(c, map[string]missed{"missed": {m.Messages, m.Overdue}}); err != nil {
		p.log.Error("a client was not told of lost messages", "conn", c.ID(), "err", err)
	}
}

func (p *person) Receive(c *parley.Conn, m parley.Message) error {
	if !p.ack {
		p.send(c, m)
		return nil
	}
	if p.answers == nil {
		p.answers = newAnswers()
	}
	answer := p.answers.expect(c.Context())
	if answer == nil { // the connection is over
		return nil
	}
	tell := func(to, state string, err error) { p.answers.give(c, answer, p.answer(to, state, err)) }
	to, err := recipient(m)
	if err != nil {
		tell("", "", err)
		return nil
	}
	sendToUser(c.Context(), c.Hub(), c.SendAsync, to, m, func(state string, err error) { tell(to, state, err) })
	return nil
}

// send sends a message whose sender is told of failures alone.
func (p *person) send(c *parley.Conn, m parley.Message) {
	to, err := recipient(m)
	if err != nil {
		p.refused(c, "", err)
		return
	}
	sendToUser(c.Context(), c.Hub(), c.SendAsync, to, m, func(_ string, err error) {
		if err != nil {
			p.refused(c, to, err)
		}
	})
}

func (p *person) refused(c *parley.Conn, to string, err error) {
	if told := p.answer(to, "", err); told != nil {
		_ = replyJSON(c, told) // fails only once the connection is over
	}
}

func (p *person) Disconnect(*parley.Conn, parley.CloseCode) { p.slots.release() }

// answer returns what the client is to be told of a message; nothing where the
// connection is closing.
func (p *person) answer(to, state string, err error) any {
	switch {
	case errors.Is(err, parley.ErrClosed):
		return nil
	case err == nil:
		return map[string]ack{"ack": {ToUser: to, State: state}}
	}
	told, ok := errors.AsType[*parley.Error](err)
	if !ok {
		p.log.Error("sending failed", "err", err)
		told = &parley.Error{Code: parley.Internal, Message: "internal error"}
	}
	return failed(told, to)
}

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

// What is told of a message that was accepted.
const (
	stateSent = "sent" // to live connections
	stateKept = "kept" // safe, until somebody of that name connects
)

// sendFunc is Conn.SendAsync or Hub.SendAsync.
type sendFunc func(parley.Address, parley.Message, func(parley.Sent, error), ...parley.SendOption)

// sendToUser sends m to all connections of a user, and calls done once with what
// became of it. Where messages to that user are not kept and there are no
// connections, that is an error with the code NotFound.
func sendToUser(ctx context.Context, hub *parley.Hub, send sendFunc, name string, m parley.Message, done func(state string, err error), options ...parley.SendOption) {
	online, err := hub.Online(ctx, name)
	if err != nil {
		done("", err)
		return
	}
	send(parley.User(name), m, func(sent parley.Sent, err error) {
		switch {
		case err != nil:
			done("", err)
		case online:
			done(stateSent, nil)
		case sent.Cursor.IsZero():
			done("", &parley.Error{Code: parley.NotFound, Message: "nobody of that name is connected"})
		default:
			done(stateKept, nil)
		}
	}, options...)
}
