package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestSendsAtOnce has the disk hang: requests give up after a while, and beyond so
// many of them no further one waits for the disk.
func TestSendsAtOnce(t *testing.T) {
	t.Parallel()
	layer := &hangingLayer{Layer: parley.NewMemoryLayer()}
	hub := parley.NewHub(&parley.Options{Layer: layer, Logger: slog.New(slog.DiscardHandler)})
	e := newSendEndpoint(hub, slog.New(slog.DiscardHandler), 1<<20)
	gaveUp, cancel := context.WithCancel(t.Context())
	cancel()
	body := []byte(`{"to":"user:bob","data":1}`)
	for range sendsAtOnce {
		wantUnavailable(t, e, gaveUp, body, "may be kept all the same")
	}
	wantUnavailable(t, e, gaveUp, body, takesTooLong)
	if n := len(layer.dones); n != sendsAtOnce {
		t.Errorf("%d messages wait for the disk", n)
	}
	for _, done := range layer.dones {
		done(parley.Sent{}, nil)
	}
	if _, err := e.send(t.Context(), []byte(`{"to":"group:a","data":1}`)); err != nil {
		t.Error(err)
	}
	if len(e.room) != 0 {
		t.Errorf("%d places are still taken", len(e.room))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := hub.Close(ctx); err != nil {
		t.Error(err)
	}
}

func wantUnavailable(t *testing.T, e *sendEndpoint, ctx context.Context, body []byte, want string) {
	t.Helper()
	_, err := e.send(ctx, body)
	if told, ok := errors.AsType[*parley.Error](err); !ok || told.Code != parley.Unavailable || !strings.Contains(told.Message, want) {
		t.Fatalf("got the error %v, want %s", err, want)
	}
}

// hangingLayer accepts messages, and keeps none.
type hangingLayer struct {
	parley.Layer
	dones []func(parley.Sent, error)
}

func (l *hangingLayer) Attach(local parley.Local) parley.Link {
	return &hangingLink{l.Layer.Attach(local), l}
}

type hangingLink struct {
	parley.Link
	layer *hangingLayer
}

func (l *hangingLink) Append(_ context.Context, _ parley.Envelope, done func(parley.Sent, error)) error {
	l.layer.dones = append(l.layer.dones, done)
	return nil
}
