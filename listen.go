package parley

import "context"

// ListenOptions configure [Hub.Listen]. The zero value means the defaults.
type ListenOptions struct {
	// After is the place, in the log of a kept address, of the last message that
	// the function was given before: those behind it come first. Default: from
	// now on.
	After Cursor

	// Queue is how many messages may wait for a slow function before more are
	// dropped and counted in [Stats].ListenMissed. Default 1024.
	Queue int

	// Started is called, if not nil, once messages are heard: what is sent
	// after it gets to the function.
	Started func()
}

type listener struct{ messages chan Message }

// offer queues m, or reports that there is no room.
func (l *listener) offer(m Message) bool {
	select {
	case l.messages <- m:
		return true
	default:
		return false
	}
}

// Listen calls f for each message that is sent to an address from now on, one
// call at a time, in the order of arrival. It blocks until f returns an error,
// which it returns, or ctx ends, whose cause it returns, or the hub closes:
// ErrClosed. It is not a work queue: every listener gets every message.
func (h *Hub) Listen(ctx context.Context, to Address, options *ListenOptions, f func(Message) error) error {
	if err := to.check(); err != nil {
		return err
	}
	var opts ListenOptions
	if options != nil {
		opts = *options
	}
	orDefault(&opts.Queue, 1024)
	l := &listener{make(chan Message, opts.Queue)}
	defer h.table.listen(to, l)()
	if opts.Started != nil {
		opts.Started()
	}
	for {
		select {
		case m := <-l.messages:
			if err := f(m); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-h.closing:
			return ErrClosed
		}
	}
}
