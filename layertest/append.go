package layertest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-rt/parley"
)

// testAppend has all of a message come back, from the hub and from the log.
func testAppend(r *rig) {
	h, to := r.hub(), parley.Group("g")
	h.subscribe(to)
	before := h.head(to)
	if before.Epoch == 0 {
		r.Errorf("the head of a log without messages is %v, without an epoch", before)
	}
	first := message(to, "\x00\xff")
	first.Binary, first.From, first.Except = true, parley.User("from"), parley.ConnID{1, 2, 3}
	s1 := h.append(first)
	s2 := h.append(message(to, ""))
	if s1.Cursor.Epoch != before.Epoch || s2.Cursor.Epoch != before.Epoch || before.Seq >= s1.Cursor.Seq || s1.Cursor.Seq >= s2.Cursor.Seq {
		r.Errorf("messages behind %v were given the places %v and %v", before, s1.Cursor, s2.Cursor)
	}
	if s1.Time.IsZero() || s2.Time.Before(s1.Time) {
		r.Errorf("messages were sent at %v and %v", s1.Time, s2.Time)
	}
	if got := h.head(to); got != s2.Cursor {
		r.Errorf("the head is %v, want %v", got, s2.Cursor)
	}
	for _, got := range [][]parley.Envelope{h.waitHanded(to, 2), h.readAll(to, before), h.readAll(to, parley.Cursor{})} {
		if len(got) != 2 {
			r.Fatalf("got %q, want two messages", texts(got))
		}
		checkEnvelope(r, got[0], first, s1)
		checkEnvelope(r, got[1], message(to, ""), s2)
	}
	if err := h.link.Health(); err != nil {
		r.Errorf("Health: %v", err)
	}
}

func checkEnvelope(r *rig, got, want parley.Envelope, sent parley.Sent) {
	r.Helper()
	if got.Binary != want.Binary || !bytes.Equal(got.Data, want.Data) || got.To != want.To || got.From != want.From ||
		got.Except != want.Except || got.Key != "" || got.Cursor != sent.Cursor || !got.Time.Equal(sent.Time) {
		r.Errorf("got %+v, want %+v at %v", got, want, sent)
	}
}

// testAppendConcurrent has one order of what many goroutines append through two
// hubs: the same in the log, in both hubs, and in the results.
func testAppendConcurrent(r *rig) {
	const goroutines, each = 8, 100
	hubs, to := []*hub{r.hub(), r.hub()}, parley.User("u")
	for _, h := range hubs {
		h.subscribe(to)
	}
	results := make([][]<-chan result, goroutines)
	var appenders sync.WaitGroup
	for g := range goroutines {
		appenders.Go(func() {
			for i := range each {
				results[g] = append(results[g], hubs[g%2].start(r.Context(), message(to, fmt.Sprintf("%d-%d", g, i))))
			}
		})
	}
	r.join(&appenders)
	places := make(map[string]parley.Sent)
	for g := range goroutines {
		for i, c := range results[g] {
			res := hubs[0].await(c)
			if res.err != nil {
				r.Fatal(res.err)
			}
			places[fmt.Sprintf("%d-%d", g, i)] = res.Sent
		}
	}
	log := hubs[0].readAll(to, parley.Cursor{})
	checkOrder(r, log, places)
	for _, h := range hubs {
		h.checkTexts("what a hub was handed", h.waitHanded(to, goroutines*each), texts(log)...)
	}
	hubs[1].checkTexts("what the other hub reads", hubs[1].readAll(to, parley.Cursor{}), texts(log)...)
}

// checkOrder holds a log to the results of its appends, each goroutine of which
// numbered its own.
func checkOrder(r *rig, log []parley.Envelope, places map[string]parley.Sent) {
	r.Helper()
	if len(log) != len(places) {
		r.Errorf("the log has %d messages, want %d", len(log), len(places))
	}
	next := make(map[string]int)
	var last parley.Message
	for _, e := range log {
		if got := places[string(e.Data)]; got.Cursor != e.Cursor || !got.Time.Equal(e.Time) {
			r.Errorf("%q is in the log at %v, %v, and was accepted at %v", e.Data, e.Cursor, e.Time, got)
		}
		if e.Cursor.Seq <= last.Cursor.Seq || e.Time.Before(last.Time) {
			r.Errorf("%q at %v, %v follows %v, %v", e.Data, e.Cursor, e.Time, last.Cursor, last.Time)
		}
		last = e.Message
		g, i, _ := strings.Cut(string(e.Data), "-")
		if i != fmt.Sprint(next[g]) {
			r.Errorf("message %s of goroutine %s is where %d should be", i, g, next[g])
		}
		next[g]++
	}
}

// testDoneInOrder has the results of an address come in the order of the
// appends, each once, also those of repeats.
func testDoneInOrder(r *rig) {
	const n = 300
	h, to := r.hub(), parley.Group("g")
	var mu sync.Mutex
	var got []int
	all := make(chan struct{})
	for i := range n {
		e := message(to, fmt.Sprint(i/2*2))
		if i%4 < 2 {
			e.Key = string(e.Data)
		}
		err := h.link.Append(r.Context(), e, func(_ parley.Sent, err error) {
			if err != nil {
				r.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if got = append(got, i); len(got) == n {
				close(all)
			}
		})
		if err != nil {
			r.Fatal(err)
		}
	}
	r.within("having all results", all)
	h.close()
	mu.Lock()
	defer mu.Unlock()
	if len(got) != n || !slices.IsSorted(got) {
		r.Errorf("results came in the order %v", got)
	}
}

// testReadableWhenHandedOver reads while the layer waits for Deliver and done to
// return: both have the message in the log, and neither stands in the way of
// other calls.
func testReadableWhenHandedOver(r *rig) {
	h, to := r.hub(), parley.User("u")
	r.hub().subscribe(to)
	check := func(at parley.Cursor) {
		read := make(chan struct{})
		go func() {
			defer close(read)
			if head := h.head(to); head.Seq < at.Seq {
				r.Errorf("the head is %v when %v is told", head, at)
			}
			log := h.readAll(to, parley.Cursor{})
			if !slices.ContainsFunc(log, func(e parley.Envelope) bool { return e.Cursor == at }) {
				r.Errorf("%v is told and cannot be read", at)
			}
			if p := h.readBefore(to, parley.Cursor{}, manyMessages); len(p.Messages) != len(log) {
				r.Errorf("read %d messages backward, %d forward", len(p.Messages), len(log))
			}
			h.cursors(to)
			h.link.Advance(to, "name", at)
		}()
		select {
		case <-read:
		case <-time.After(patience):
			r.Error("reading waits for Deliver or done")
		}
	}
	const n = 10
	handed := make(chan struct{}, n)
	h.onDeliver = func(e parley.Envelope) {
		check(e.Cursor)
		handed <- struct{}{}
	}
	h.subscribe(to)
	for i := range n {
		done := make(chan struct{})
		err := h.link.Append(r.Context(), message(to, fmt.Sprint(i)), func(s parley.Sent, err error) {
			if err != nil {
				r.Error(err)
			}
			check(s.Cursor)
			close(done)
		})
		if err != nil {
			r.Fatal(err)
		}
		r.within("having the result", done)
		r.within("handing the message over", handed)
	}
}
