package parley

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// ReadBody reads the body of a request that is not a connection's, within
// [Limits.UnfinishedBytes]. Its bytes count until the request's context ends, which it
// does when the handler returns. The error has the code [TooLarge] if the body is longer
// than limit bytes, [Unavailable] if there is no room for it, and [BadRequest] if it did
// not arrive.
//
// Where a body has to make room while it is read, reading it ends by a read deadline of
// w; if w takes none, that is noticed when more of it arrives.
func (h *Hub) ReadBody(w http.ResponseWriter, r *http.Request, limit int) ([]byte, error) {
	b := &body{budget: h.budget}
	ended, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.cancel = cancel
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ended, func() {
		defer close(interrupted)
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(0, 1)) // otherwise the next read finds out
	})
	data, err := b.read(http.MaxBytesReader(w, r.Body, int64(limit)), limit)
	context.AfterFunc(r.Context(), func() { h.budget.Release(&b.charge) })
	if !h.budget.Keep(&b.charge) {
		err = errNoRoom
	}
	if !stop() {
		<-interrupted
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &Error{TooLarge, fmt.Sprintf("the body is larger than %d bytes", limit)}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

var errNoRoom error = &Error{Unavailable, "too many unfinished messages: send it again later"}

// body is one that is being read.
type body struct {
	budget *socket.Budget
	charge socket.Charge
	cancel func()
}

// End ends the reading. It is for the budget.
func (b *body) End() { b.cancel() }

// firstBody is the size that reading begins with.
const firstBody = 4 << 10

func (b *body) read(r io.Reader, limit int) (data []byte, err error) {
	for {
		if len(data) == cap(data) {
			size := min(max(2*cap(data), firstBody), max(limit, len(data))+1) // one more, to see its end
			if !b.budget.Hold(&b.charge, b, size) {
				return nil, errNoRoom
			}
			data = append(make([]byte, 0, size), data...)
		}
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF:
			return data, nil
		case err != nil:
			if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
				return nil, err
			}
			return nil, &Error{BadRequest, "the body did not arrive: " + err.Error()}
		}
	}
}
