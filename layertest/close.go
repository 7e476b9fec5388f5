package layertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/parley-rt/parley"
)

// testCancel calls with contexts that ended, or end meanwhile.
func testCancel(r *rig) {
	h, to := r.hub(), parley.User("u")
	h.append(message(to, "first"))
	cancelled, cancel := context.WithCancel(r.Context())
	cancel()
	_, headErr := h.link.Head(cancelled, to)
	_, afterErr := h.link.ReadAfter(cancelled, to, parley.Cursor{}, manyMessages)
	_, beforeErr := h.link.ReadBefore(cancelled, to, parley.Cursor{}, manyMessages)
	_, cursorsErr := h.link.Cursors(cancelled, to)
	for name, err := range map[string]error{
		"Subscribe": h.link.Subscribe(cancelled, parley.Group("g")), "Head": headErr, "ReadAfter": afterErr,
		"ReadBefore": beforeErr, "Cursors": cursorsErr,
	} {
		if err != nil && !errors.Is(err, context.Canceled) {
			r.Errorf("%s with a context that ended: %v", name, err)
		}
	}
	want := map[string]bool{"first": true}
	var all []<-chan result
	for i := range 1000 {
		ctx, cancel := context.WithCancel(r.Context())
		if i%2 == 0 {
			cancel()
		}
		all = append(all, h.start(ctx, message(to, fmt.Sprint(i))))
		cancel()
	}
	for i, c := range all {
		res := h.await(c)
		if res.err != nil && !errors.Is(res.err, context.Canceled) {
			r.Errorf("appending with a context that ended: %v", res.err)
		}
		want[fmt.Sprint(i)] = res.err == nil
	}
	log := h.readAll(to, parley.Cursor{})
	for _, e := range log {
		if !want[string(e.Data)] {
			r.Errorf("%s is kept twice, or was not accepted", e.Data)
		}
		delete(want, string(e.Data))
	}
	for text, accepted := range want {
		if accepted {
			r.Errorf("%s was accepted and is not kept", text)
		}
	}
}

// testClose has all calls of a closed link fail, and others work on.
func testClose(r *rig) {
	h, other, to := r.hub(), r.hub(), parley.User("u")
	h.subscribe(to)
	other.subscribe(to)
	sent := h.append(message(to, "before"))
	h.waitHanded(to, 1)
	h.close()
	ctx := r.Context()
	_, headErr := h.link.Head(ctx, to)
	_, afterErr := h.link.ReadAfter(ctx, to, parley.Cursor{}, manyMessages)
	_, beforeErr := h.link.ReadBefore(ctx, to, parley.Cursor{}, manyMessages)
	_, cursorsErr := h.link.Cursors(ctx, to)
	_, onlineErr := h.link.Online(ctx, to)
	_, appendErr := h.try(message(to, "closed"))
	for name, err := range map[string]error{
		"Send": h.link.Send(ctx, message(to, "closed")), "Subscribe": h.link.Subscribe(ctx, to), "Append": appendErr, "Head": headErr,
		"ReadAfter": afterErr, "ReadBefore": beforeErr, "Cursors": cursorsErr, "Online": onlineErr, "Health": h.link.Health(), "Close": h.link.Close(),
	} {
		if !errors.Is(err, parley.ErrClosed) {
			r.Errorf("%s of a closed link: %v", name, err)
		}
	}
	h.link.Unsubscribe(to)
	h.link.Advance(to, "name", sent.Cursor)

	other.append(message(to, "after"))
	if err := other.link.Send(ctx, message(to, "not kept")); err != nil {
		r.Errorf("Send: %v", err)
	}
	other.checkTexts("what the other hub was handed", other.waitHanded(to, 2), "before", "after")
	other.waitPassed(1)
	again := r.hub()
	again.checkTexts("what a new hub reads", again.readAll(to, parley.Cursor{}), "before", "after")
	if got := again.cursors(to); len(got) > 0 {
		r.Errorf("a closed link moved the cursors %v", got)
	}
}

// testCloseDuringUse closes a link in the middle of everything.
func testCloseDuringUse(r *rig) {
	for round := range 5 {
		r.closeDuringUse(fmt.Sprint(round))
	}
}

func (r *rig) closeDuringUse(name string) {
	const goroutines, enough = 6, 200
	closing, other := r.hub(), r.hub()
	to := func(i int) parley.Address { return parley.Group(name + fmt.Sprint(i%3)) }
	for i := range 3 {
		closing.subscribe(to(i))
		other.subscribe(to(i))
	}
	var begun, told, accepted atomic.Int64
	var closed atomic.Bool
	reached := make(chan struct{})
	done := func(_ parley.Sent, err error) {
		if closed.Load() {
			r.Error("done was called after Close returned")
		}
		if err == nil {
			accepted.Add(1)
		}
		if told.Add(1) == enough {
			close(reached)
		}
	}
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := 0; ; i++ {
				begun.Add(1)
				if err := closing.link.Append(r.Context(), message(to(g+i), fmt.Sprint(i)), done); err != nil {
					begun.Add(-1)
					if !errors.Is(err, parley.ErrClosed) {
						r.Errorf("Append while closing: %v", err)
					}
					return
				}
				closing.link.Advance(to(i), "name", parley.Cursor{})
			}
		})
	}
	all.Go(func() {
		for {
			if _, err := closing.link.ReadAfter(r.Context(), to(0), parley.Cursor{}, manyMessages); err != nil {
				if !errors.Is(err, parley.ErrClosed) {
					r.Errorf("ReadAfter while closing: %v", err)
				}
				return
			}
		}
	})
	r.within("accepting messages", reached)
	closing.close()
	closed.Store(true)
	r.join(&all)
	if begun.Load() != told.Load() {
		r.Errorf("%d appends were begun, and done was called %d times", begun.Load(), told.Load())
	}
	kept := 0
	for i := range 3 {
		sent := other.append(message(to(i), "last"))
		log := other.readAll(to(i), parley.Cursor{})
		if log[len(log)-1].Cursor != sent.Cursor {
			r.Errorf("the last message is %v, want %v", log[len(log)-1].Cursor, sent.Cursor)
		}
		for _, e := range log {
			if string(e.Data) != "last" {
				kept++
			}
		}
	}
	if kept < int(accepted.Load()) || kept > int(told.Load()) {
		r.Errorf("%d messages are kept; %d were accepted, and %d may have been", kept, accepted.Load(), told.Load())
	}
}
