package parley_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// watched is a connection whose client is w.
func watched(t *testing.T, hub *parley.Hub, k kind) (c *parley.Conn, w *wire) {
	t.Helper()
	conns := make(chan *parley.Conn, 2)
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error { conns <- c; return nil }}
	})
	w = s.open(t)
	return await(t, conns, "Connect"), w
}

// TestDerivedContextsNeedNoGoroutine derives many contexts from a connection's:
// none costs a goroutine, all end with the connection, and those that are
// cancelled before leave nothing.
func TestDerivedContextsNeedNoGoroutine(t *testing.T) {
	for _, k := range engines {
		t.Run(k.String(), func(t *testing.T) {
			c, w := watched(t, k.hub(t, nil), k)
			const n = 500
			before := parley.Goroutines()
			var derived []context.Context
			var cancels []context.CancelFunc
			for range n {
				a, cancelA := context.WithCancel(c.Context())
				b, cancelB := context.WithTimeout(c.Context(), time.Hour)
				derived, cancels = append(derived, a, b), append(cancels, cancelA, cancelB)
			}
			if grown := parley.Goroutines() - before; grown > n/10 {
				t.Errorf("%d contexts cost %d goroutines", 2*n, grown)
			}
			if got := parley.Waiting(c); got != 2*n {
				t.Errorf("%d contexts wait for the end, want %d", got, 2*n)
			}
			for i := range n {
				cancels[i]()
			}
			if got := parley.Waiting(c); got != n {
				t.Errorf("%d contexts wait for the end, want %d", got, n)
			}
			reset(t, w)
			for i, ctx := range derived {
				await(t, ctx.Done(), "the end of a derived context")
				if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
					t.Fatalf("%d ended with %v, because of %v", i, ctx.Err(), context.Cause(ctx))
				}
			}
			if got := parley.Waiting(c); got != 0 {
				t.Errorf("%d contexts still wait for the end", got)
			}
			for i := range cancels {
				cancels[i]()
			}
		})
	}
}

// TestAfterFunc has functions called once a connection is over, at once where it
// is, and not at all where they are stopped.
func TestAfterFunc(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		c, w := watched(t, k.hub(t, nil), k)
		called := make(chan string, 10)
		stopA := context.AfterFunc(c.Context(), func() { called <- "a" })
		stopB := context.AfterFunc(c.Context(), func() { called <- "b" })
		if !stopA() || stopA() {
			t.Error("the first stop of a function that waits did not stop it, or the second did")
		}
		w.send(closing(1000, ""))
		w.expect("close 1000", "eof")
		if got := await(t, called, "the call"); got != "b" {
			t.Errorf("%s was called, want b", got)
		}
		if stopA() || stopB() {
			t.Error("a function was stopped after the end")
		}
		stopC := context.AfterFunc(c.Context(), func() { called <- "c" })
		if got := await(t, called, "the call after the end"); got != "c" {
			t.Errorf("%s was called, want c", got)
		}
		if stopC() {
			t.Error("a function was stopped that was called at once")
		}
		late, cancel := context.WithCancel(c.Context())
		defer cancel()
		await(t, late.Done(), "the end of a context that is derived late")
		if c.Context().Err() != context.Canceled {
			t.Errorf("the context ended with %v", c.Context().Err())
		}
		if len(called) > 0 {
			t.Errorf("%s was called", <-called)
		}
	})
}

// TestContextsOfManyWatchers derives, cancels and asks from many goroutines while
// the connection ends: every function is either stopped or called, once.
func TestContextsOfManyWatchers(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		for range 20 {
			c, w := watched(t, k.hub(t, nil), k)
			const watchers, each = 8, 50
			var stopped, called atomic.Int64
			var all sync.WaitGroup
			for i := range watchers {
				all.Go(func() {
					for n := range each {
						stop := context.AfterFunc(c.Context(), func() { called.Add(1) })
						if (i+n)%2 == 0 && stop() {
							stopped.Add(1)
						}
						if c.Context().Err() != nil {
							await(t, c.Context().Done(), "the end, as there is an error")
						}
					}
				})
			}
			reset(t, w)
			all.Wait()
			until(t, "each function was stopped or called", func() bool { return stopped.Load()+called.Load() == watchers*each })
		}
	})
}

// TestContextOfRefused ends the context of a connection that Connect refuses.
func TestContextOfRefused(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	s := newSite(t, "tcp", newHub(t, nil), func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			context.AfterFunc(c.Context(), func() { close(ended) })
			return &parley.Error{Code: parley.Forbidden}
		}}
	})
	w := s.connect(t)
	w.send(handshake)
	if got := w.response().StatusCode; got != http.StatusForbidden {
		t.Errorf("got status %d", got)
	}
	await(t, ended, "the end of the context")
}

// TestContextsEndWhenHubIsCut ends derived contexts when the hub has waited long
// enough, also those that are derived afterwards, while consumers are busy.
func TestContextsEndWhenHubIsCut(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Limits: parley.Limits{CloseTimeout: time.Hour}})
		conns, goOn := make(chan *parley.Conn, 1), make(chan bool)
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{receive: func(c *parley.Conn, _ parley.Message) error { conns <- c; <-goOn; return nil }}
		})
		s.open(t).send(text("a"))
		c := await(t, conns, "Receive")
		before, cancel := context.WithTimeout(c.Context(), time.Hour)
		defer cancel()
		ended, stop := context.WithCancel(t.Context())
		stop()
		if err := hub.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Close returned %v", err)
		}
		await(t, before.Done(), "the end of a derived context")
		after, cancel := context.WithCancel(c.Context())
		defer cancel()
		await(t, after.Done(), "the end of a context that is derived late")
		if before.Err() != context.Canceled || after.Err() != context.Canceled {
			t.Errorf("they ended with %v and %v", before.Err(), after.Err())
		}
		close(goOn)
	})
}
