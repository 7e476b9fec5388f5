package layertest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// names are legal ones that something could take for another, or for a pattern.
func names() []string {
	long := strings.Repeat("n", parley.MaxNameBytes-1)
	return []string{
		"a", "A", "ab", "a.b", "a.b.c", ".", "..", "a.", ".a", "a..b", "*", "a.*", "*.b", ">", "a.>", "$", "$JS.API", "_INBOX.a", "%",
		"a/b", "/", "a\\b", "a:b", "group:a", "user:a", "everyone", "conn:a", "user", "a b", " ", " a", "a ", "é", "e\u0301", "ﬀ", "ff",
		"İ", "i", "ı", "🙂", "👩‍👩‍👧", "\u200b", "\u202ea", "\ufeff", "\uffff", "\U0010ffff", "日本語", "YQ", "YQ==", "61", "null", "0", "00",
		long, long + "n", long + "m", strings.Repeat("🙂", parley.MaxNameBytes/4),
	}
}

// testNames has each address be a log, and an interest, of its own.
func testNames(r *rig) {
	h := r.hub()
	addresses := []parley.Address{parley.Everyone}
	for _, name := range names() {
		addresses = append(addresses, parley.Group(name), parley.User(name))
	}
	for _, to := range addresses {
		h.subscribe(to)
	}
	sent := make(map[parley.Address]parley.Sent)
	for _, to := range addresses {
		h.append(keyed(to, "first to "+to.String(), "key"))
		sent[to] = h.append(message(to, "to "+to.String()))
		h.link.Advance(to, "name", sent[to].Cursor)
	}
	for _, to := range addresses {
		want := []string{"first to " + to.String(), "to " + to.String()}
		log := h.readAll(to, parley.Cursor{})
		h.checkTexts("the log of "+to.String(), log, want...)
		h.checkTexts("what was handed over", h.waitHanded(to, 2), want...)
		for _, e := range log {
			if e.To != to {
				r.Errorf("a message to %v is in the log of %v", e.To, to)
			}
		}
		if got := h.head(to); got != sent[to].Cursor {
			r.Errorf("the head of %v is %v, want %v", to, got, sent[to].Cursor)
		}
		r.moved(h, to, map[string]parley.Cursor{"name": sent[to].Cursor})
	}
}

// testAddresses has very many addresses, each with a log.
func testAddresses(r *rig) {
	most, least := 1_000_000, 10_000
	switch {
	case testing.Short():
		most = 20_000
	case raceEnabled:
		most = 100_000
	}
	const goroutines, bound = 8, 20 * time.Second
	h, deadline := r.hub(), time.Now().Add(bound)
	h.onDeliver = func(parley.Envelope) {}
	address := func(i int) parley.Address { return parley.User(fmt.Sprintf("user-%d", i)) }
	var appended [goroutines]int
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			next := func() (to parley.Address, ok bool) {
				i := g + appended[g]*goroutines
				appended[g]++
				return address(i), i < most && (i < least || time.Now().Before(deadline)) && !r.Failed()
			}
			h.appendMany(next)
		})
	}
	r.join(&all)
	last := most
	for _, n := range appended {
		last = min(last, (n-1)*goroutines)
	}
	r.Logf("%d addresses", last)
	for i := 0; i < last; i += max(1, last/1000) {
		to := address(i)
		h.checkTexts("the log of one of many", h.readAll(to, parley.Cursor{}), to.Name())
	}
}

// appendMany appends a message to each address, some at a time.
func (h *hub) appendMany(next func() (parley.Address, bool)) {
	window := make(chan struct{}, 256)
	enter := func() bool {
		select {
		case window <- struct{}{}:
			return true
		case <-h.t.Context().Done():
			return false
		}
	}
	for to, ok := next(); ok && enter(); to, ok = next() {
		err := h.link.Append(h.t.Context(), message(to, to.Name()), func(_ parley.Sent, err error) {
			if err != nil {
				h.t.Errorf("appending to %v: %v", to, err)
			}
			<-window
		})
		if err != nil {
			h.t.Errorf("appending to %v: %v", to, err)
			return
		}
	}
	for range cap(window) {
		enter()
	}
}
