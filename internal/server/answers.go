package server

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/parley-rt/parley"
)

// answers has a client told what became of its messages in the order in which it
// sent them, though one may be known to be safe before another. They are bounded in
// number, and each in its length. Safe for concurrent use.
type answers struct {
	room chan struct{} // holds one for each answer

	mu          sync.Mutex // guards what follows, the answers too; not held while one is told
	first, last *answer    // in the order of the messages
	telling     bool       // some goroutine tells those that can be told
}

// maxAnswers is how many answers of one connection may wait. Beyond, its messages wait
// to be handled, and in the end it is not read.
const maxAnswers = 256

func newAnswers() *answers { return &answers{room: make(chan struct{}, maxAnswers)} }

// answer is what is told of one message.
type answer struct {
	next  *answer
	given bool
	text  any // nil: nothing
}

// expect returns the place of the answer to the next message. It waits for room until
// ctx ends, and returns nil then.
func (a *answers) expect(ctx context.Context) *answer {
	select {
	case a.room <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	next := &answer{}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.first == nil {
		a.first = next
	} else {
		a.last.next = next
	}
	a.last = next
	return next
}

// give tells the client what became of a message, once it was told of all the
// ones before it.
func (a *answers) give(c *parley.Conn, to *answer, text any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	to.given, to.text = true, text
	if a.telling {
		return
	}
	a.telling = true
	for a.first != nil && a.first.given {
		a.tellFirst(c)
	}
	a.telling = false
}

// tellFirst is called with mu held, and lets go of it meanwhile.
func (a *answers) tellFirst(c *parley.Conn) {
	first := a.first
	a.first = first.next
	defer func() { <-a.room }()
	if first.text == nil {
		return
	}
	a.mu.Unlock()
	defer a.mu.Lock()
	_ = replyJSON(c, first.text) // fails only once the connection is over
}

type ack struct {
	ToUser string `json:"to_user"`
	State  string `json:"state"`
}

// failure is what a client is told of a message that was not sent.
type failure struct {
	*parley.Error
	ToUser string `json:"to_user,omitempty"`
}

func failed(err *parley.Error, to string) any {
	return map[string]failure{"error": {err, shorten(to)}}
}

// shorten cuts text of a stranger that is longer than a name may be, and marks that.
func shorten(text string) string { return cut(text, parley.MaxNameBytes) }

// cut cuts text that is longer than so many bytes, and marks that.
func cut(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "") + "…"
}

// reply tells a client of an error, if it is one to tell; the connection stays
// open. Any other ends it. One that is closing needs no telling.
func reply(c *parley.Conn, err error) error {
	if err == nil || errors.Is(err, parley.ErrClosed) {
		return nil
	}
	told, ok := errors.AsType[*parley.Error](err)
	if !ok {
		return err
	}
	return replyJSON(c, failed(told, ""))
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
