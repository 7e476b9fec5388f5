package parley

import (
	"encoding/json"
	"errors"
	"fmt"
)

// JSON returns a Consumer that decodes each text message as a T. A message that
// is not valid JSON for T, or is binary, is answered with an error, and so is
// each error that receive returns; the connection stays open. The answer is
// {"error":{"code":…,"message":…}}. Embed the Consumer to add a Connect or a
// Disconnect.
func JSON[T any](receive func(c *Conn, v T) error) Consumer {
	return jsonConsumer[T]{receive: receive}
}

type jsonConsumer[T any] struct {
	Base
	receive func(*Conn, T) error
}

func (j jsonConsumer[T]) Receive(c *Conn, m Message) error {
	v, err := decodeJSON[T](m)
	if err == nil {
		err = j.receive(c, v)
	}
	return ReplyError(c, err)
}

func decodeJSON[T any](m Message) (v T, err error) {
	if m.Binary {
		return v, &Error{BadRequest, "expected text, got binary"}
	}
	err = json.Unmarshal(m.Data, &v)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return v, &Error{BadRequest, fmt.Sprintf("%q cannot be a JSON %s", wrong.Field, wrong.Value)}
	}
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		return v, &Error{BadRequest, fmt.Sprintf("not valid JSON: %v", wrong)}
	}
	if err != nil {
		return v, &Error{BadRequest, "not the JSON expected"}
	}
	return v, nil
}

// ReplyError answers c with {"error":{"code":…,"message":…}}, as [JSON] does.
// An error that is not an [*Error] is logged, and told as [Internal]; ErrClosed,
// of a client that left, is returned. It does not answer for a nil error.
func ReplyError(c *Conn, err error) error {
	if err = genuine(err); err == nil {
		return nil
	}
	if errors.Is(err, ErrClosed) {
		return err
	}
	told := public(err)
	if told.Code == Internal {
		c.Hub().log.Error("parley: consumer failed", "conn", c.ID(), "err", err.Error())
	}
	m, err := JSONMessage(map[string]*Error{"error": told})
	if err != nil {
		return err
	}
	return c.Reply(m)
}
