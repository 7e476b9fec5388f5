package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/disklayer"
	"github.com/parley-rt/parley/internal/crash/ops"
)

// consumer answers requests, and encodes messages as events.
type consumer struct {
	parley.Consumer
	disk *disklayer.Layer
}

// kinds are the consumers that there are, by the end of their paths.
var kinds = map[string]func(*disklayer.Layer) parley.Consumer{
	"plain":     func(disk *disklayer.Layer) parley.Consumer { return newConsumer(disk).Consumer },
	"encoder":   func(disk *disklayer.Layer) parley.Consumer { return newConsumer(disk) },
	"deliverer": func(disk *disklayer.Layer) parley.Consumer { return deliverer{newConsumer(disk).Consumer} },
	"both":      func(disk *disklayer.Layer) parley.Consumer { return both{newConsumer(disk)} },
}

// deliverer replies each message as an event.
type deliverer struct{ parley.Consumer }

func (deliverer) Deliver(c *parley.Conn, m parley.Message) error {
	event, err := consumer{}.Encode(m)
	if err != nil {
		return err
	}
	return c.Reply(event)
}

// both replies each message, and is an Encoder, which makes an event of it.
type both struct{ consumer }

func (both) Deliver(c *parley.Conn, m parley.Message) error { return c.Reply(m) }

func newConsumer(disk *disklayer.Layer) consumer {
	c := consumer{disk: disk}
	c.Consumer = parley.JSON(c.receive)
	return c
}

func (s consumer) receive(c *parley.Conn, r ops.Request) error {
	switch r.Op {
	case ops.Hello:
		return c.Identify(r.User, joining(c, parley.User(r.User), r))
	case ops.Join:
		return c.Join(r.To, joining(c, r.To, r))
	case ops.Send:
		c.SendAsync(r.To, parley.Message{Data: r.Data}, func(sent parley.Sent, err error) {
			answer(c, r.ID, sent.Cursor, err)
		}, parley.Key(r.Key))
		return nil
	case ops.Backup:
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		answer(c, r.ID, parley.Cursor{}, s.disk.Backup(ctx, r.Dir, nil))
		return nil
	}
	return &parley.Error{Code: parley.BadRequest, Message: "no such op"}
}

// joining has the client told where it begins.
func joining(c *parley.Conn, to parley.Address, r ops.Request) *parley.JoinOptions {
	return &parley.JoinOptions{After: r.After, Device: r.Device, Joined: func(at parley.Cursor, missed bool) {
		reply(c, ops.Event{Joined: &ops.Joined{To: to, At: at, Missed: missed}})
	}}
}

// answer tells what became of a request.
func answer(c *parley.Conn, id uint64, at parley.Cursor, err error) {
	if err == nil {
		reply(c, ops.Event{ID: id, OK: &ops.Accepted{Cursor: at}})
		return
	}
	told, ok := errors.AsType[*parley.Error](err)
	if !ok {
		slog.Error("a request failed", "id", id, "err", err)
		told = &parley.Error{Code: parley.Internal, Message: err.Error()}
	}
	reply(c, ops.Event{ID: id, Error: told})
}

func reply(c *parley.Conn, e ops.Event) {
	m, err := parley.JSONMessage(e)
	if err == nil {
		err = c.Reply(m)
	}
	if err != nil && !errors.Is(err, parley.ErrClosed) {
		slog.Error("a reply failed", "err", err)
	}
}

// Encode makes an event of a message that was sent; a reply is one.
func (consumer) Encode(m parley.Message) (parley.Message, error) {
	if m.To.IsZero() {
		return m, nil
	}
	return parley.JSONMessage(ops.Event{To: m.To, Cursor: m.Cursor, Data: m.Data})
}
