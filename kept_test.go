package parley_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/parley-rt/parley"
)

// keepAll keeps whatever can be kept.
func keepAll() []parley.KeepRule {
	return []parley.KeepRule{{Pattern: "everyone"}, {Pattern: "group:*"}, {Pattern: "user:*"}}
}

// meddling is a layer some of whose work the test does. What it has no function
// for the layer does itself.
type meddling struct {
	parley.Layer
	append    func(ctx context.Context, e parley.Envelope, done func(parley.Sent, error), link parley.Link) error
	readAfter func(ctx context.Context, of parley.Address, after parley.Cursor, limit parley.PageLimit, link parley.Link) (parley.Page, error)
	subscribe func(to parley.Address, count int) error
	close     func()
	health    atomic.Pointer[parley.Error] // nil for the layer's
}

type meddlingLink struct {
	parley.Link
	by *meddling
}

func (m *meddling) Attach(local parley.Local) parley.Link {
	if m.Layer == nil {
		m.Layer = parley.NewMemoryLayer()
	}
	return &meddlingLink{m.Layer.Attach(local), m}
}

func (l *meddlingLink) Append(ctx context.Context, e parley.Envelope, done func(parley.Sent, error)) error {
	if l.by.append == nil {
		return l.Link.Append(ctx, e, done)
	}
	return l.by.append(ctx, e, done, l.Link)
}

func (l *meddlingLink) ReadAfter(ctx context.Context, of parley.Address, after parley.Cursor, limit parley.PageLimit) (parley.Page, error) {
	if l.by.readAfter == nil {
		return l.Link.ReadAfter(ctx, of, after, limit)
	}
	return l.by.readAfter(ctx, of, after, limit, l.Link)
}

func (l *meddlingLink) Subscribe(ctx context.Context, to parley.Address) error {
	if l.by.subscribe != nil {
		if err := l.by.subscribe(to, +1); err != nil {
			return err
		}
	}
	return l.Link.Subscribe(ctx, to)
}

func (l *meddlingLink) Unsubscribe(to parley.Address) {
	if l.by.subscribe != nil {
		_ = l.by.subscribe(to, -1)
	}
	l.Link.Unsubscribe(to)
}

func (l *meddlingLink) Health() error {
	if err := l.by.health.Load(); err != nil {
		return err
	}
	return l.Link.Health()
}

func (l *meddlingLink) Close() error {
	if l.by.close != nil {
		l.by.close()
	}
	return l.Link.Close()
}

// late returns a layer in which what is appended is kept, and safe once the test
// calls what comes from the channel.
func late() (parley.Layer, <-chan func()) {
	safe := make(chan func(), 1000)
	return &meddling{
		append: func(ctx context.Context, e parley.Envelope, done func(parley.Sent, error), link parley.Link) error {
			return link.Append(ctx, e, func(sent parley.Sent, err error) { safe <- func() { done(sent, err) } })
		},
	}, safe
}

// recording returns a layer that hands over what is appended to it, and keeps
// none of it.
func recording() (parley.Layer, <-chan parley.Envelope) {
	appended := make(chan parley.Envelope, 1000)
	return &meddling{
		append: func(_ context.Context, e parley.Envelope, done func(parley.Sent, error), _ parley.Link) error {
			appended <- e
			go done(parley.Sent{}, nil)
			return nil
		},
	}, appended
}

// codeOf returns the code of an error, "" where it has none.
func codeOf(err error) parley.Code {
	if told, ok := errors.AsType[*parley.Error](err); ok {
		return told.Code
	}
	return ""
}

// results collects what a done is called with.
type result struct {
	parley.Sent
	err error
}

// collect returns a done, and what it is called with.
func collect(room int) (func(parley.Sent, error), <-chan result) {
	results := make(chan result, room)
	return func(sent parley.Sent, err error) { results <- result{sent, err} }, results
}

// kept reads all that a log holds, as a listener that begins with the oldest.
func kept(t *testing.T, hub *parley.Hub, of parley.Address, n int) (messages []parley.Message) {
	t.Helper()
	if n == 0 {
		return nil
	}
	enough := errors.New("enough")
	beginning := &parley.ListenOptions{After: parley.Cursor{Epoch: 1}} // of another log: all that there is
	err := hub.Listen(t.Context(), of, beginning, func(m parley.Message) error {
		messages = append(messages, m)
		if len(messages) == n {
			return enough
		}
		return nil
	})
	if err != enough {
		t.Fatal(err)
	}
	return messages
}
