package parley

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// Send sends m to an address on behalf of the program. m.From stays as the caller
// set it. Invalid text, and an invalid From, are errors with the code [BadRequest].
//
// Where the message is kept (see [Options.Keep] and [Keep]), nil means that it is
// safe: whoever is not connected gets it later. Send waits for that until ctx
// ends; the error has then the code [Unavailable] and wraps that of ctx. Unless
// the layer had no room for it, it is not known then whether the message was kept:
// sending it again with the same [Key] settles that.
//
// Where it is not kept, nil means that it was handed to the live connections and
// listeners here and to the layer; that an address has none is no error. Send
// waits while the event loops have more to do than they may hold
// ([Limits.MailboxBytes]), until ctx ends; the error has then the code
// [Unavailable], wraps that of ctx, and some receivers may have the message
// already.
func (h *Hub) Send(ctx context.Context, to Address, m Message, options ...SendOption) error {
	e := Envelope{Message: m}
	kept, err := h.address(&e, nil, to, options)
	if err != nil {
		return err
	}
	return h.send(ctx, &e, kept)
}

// address checks an envelope and sets all of it but its data, and says whether it is
// to be kept. By is nil for the program.
func (h *Hub) address(e *Envelope, by *Conn, to Address, options []SendOption) (kept bool, err error) {
	if err := to.check(); err != nil {
		return false, err
	}
	if h.cut.Err() != nil {
		return false, ErrClosed
	}
	if err := e.check(); err != nil {
		return false, err
	}
	var all SendOption
	if err := all.mergeAll(options); err != nil {
		return false, err
	}
	if kept, err = all.kept(to, h.keep.find(to)); err != nil {
		return false, err
	}
	if by != nil {
		e.From = by.from()
	} else if err := e.checkFrom(); err != nil {
		return false, err
	}
	e.To, e.Time, e.Cursor, e.Except = to, time.Now(), Cursor{}, all.except
	e.More = e.More && !kept // the layer hands kept ones over in its own time
	if all.keyed {
		e.Key = qualify(by, e.From, all.key)
	}
	return kept, nil
}

func (h *Hub) send(ctx context.Context, e *Envelope, kept bool) error {
	if kept {
		return h.sendKept(ctx, e)
	}
	return sendError(h.link.Send(ctx, *e))
}

// sendKept returns once e is safe.
func (h *Hub) sendKept(ctx context.Context, e *Envelope) error {
	if err := ctx.Err(); err != nil {
		return appendError(ctx, err)
	}
	if !h.keeping.enter() {
		return ErrClosed
	}
	result := make(chan error, 1)
	err := h.link.Append(ctx, *e, func(_ Sent, err error) {
		result <- err
		h.keeping.leave()
	})
	if err != nil {
		h.keeping.leave()
		return appendError(ctx, err)
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return known(result, ctx.Err())
	case <-h.cut.Done():
		return known(result, ErrClosed)
	}
}

// known returns the result of a message that is not waited for any more: it may
// be there all the same.
func known(result <-chan error, why error) error {
	select {
	case err := <-result:
		return err
	default:
		return fmt.Errorf("%w (%w)", &Error{Unavailable, "it is not known whether the message was kept"}, why)
	}
}

// sendError gives an error of the way to the receivers its code.
func sendError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, socket.ErrClosed):
		return ErrClosed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w (%w)", &Error{Unavailable, "the receivers' event loops are busy"}, err)
	}
	return err
}

// appendError gives the error of a message that the layer did not take its code.
func appendError(ctx context.Context, err error) error {
	if !ended(ctx, err) {
		return err
	}
	return fmt.Errorf("%w (%w)", &Error{Unavailable, "the layer took no more messages in time"}, ctx.Err())
}

// ended reports whether an error is that of a context which ended.
func ended(ctx context.Context, err error) bool {
	why := ctx.Err()
	return why != nil && (errors.Is(err, why) || errors.Is(err, context.Cause(ctx)))
}
