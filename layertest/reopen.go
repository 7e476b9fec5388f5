package layertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/parley-rt/parley"
)

// testReopen finds everything again.
func testReopen(r *rig) {
	h := r.hub()
	addresses := []parley.Address{parley.User("u"), parley.Group("u"), parley.Everyone, parley.User("*")}
	var heads []parley.Cursor
	var logs [][]parley.Envelope
	for _, to := range addresses {
		e := message(to, "\x00first")
		e.Binary, e.From, e.Except = true, parley.User("from"), parley.ConnID{7}
		h.append(e)
		h.appendTexts(to, numbers(1, 150)...)
		heads = append(heads, h.head(to))
		logs = append(logs, h.readAll(to, parley.Cursor{}))
	}
	for range 2 {
		r.reopen()
		h = r.hub()
		for i, to := range addresses {
			h.subscribe(to)
			if got := h.head(to); got != heads[i] {
				r.Errorf("the head of %v was %v and is %v", to, heads[i], got)
			}
			got := h.readAll(to, parley.Cursor{})
			if !slices.EqualFunc(got, logs[i], sameKept) {
				r.Errorf("the log of %v was %.500v and is %.500v", to, logs[i], got)
			}
			h.checkTexts("behind a place from before", h.readAll(to, logs[i][140].Cursor), texts(logs[i][141:])...)
			sent := h.append(message(to, "more"))
			if sent.Cursor.Epoch != heads[i].Epoch || sent.Cursor.Seq <= heads[i].Seq || sent.Time.Before(logs[i][len(logs[i])-1].Time) {
				r.Errorf("behind %v comes %v", logs[i][len(logs[i])-1].Message, sent)
			}
			handed := h.waitHanded(to, 1)
			h.checkTexts("what was handed over", handed, "more")
			if handed[0].Prev < heads[i].Seq {
				r.Errorf("a message with Prev %d was handed over behind %v", handed[0].Prev, heads[i])
			}
			heads[i], logs[i] = h.head(to), h.readAll(to, parley.Cursor{})
		}
	}
}

func sameKept(a, b parley.Envelope) bool {
	return string(a.Data) == string(b.Data) && a.Binary == b.Binary && a.From == b.From && a.To == b.To &&
		a.Except == b.Except && a.Cursor == b.Cursor && a.Time.Equal(b.Time)
}

// testReopenDuringUse ends the layer while messages are appended: what was
// accepted is there, in the order of each goroutine, and nothing else than what
// was appended, once.
func testReopenDuringUse(r *rig) {
	const rounds, goroutines, enough = 3, 4, 300
	to := parley.User("u")
	places := make(map[string]parley.Cursor) // the zero Cursor for what may not be there
	for round := range rounds {
		h := r.hub()
		ctx, cancel := context.WithCancel(r.Context())
		var mu sync.Mutex
		accepted, reached := 0, make(chan struct{})
		var all sync.WaitGroup
		for g := range goroutines {
			all.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					text := fmt.Sprintf("%d/%d-%d", round, g, i)
					mu.Lock()
					places[text] = parley.Cursor{}
					mu.Unlock()
					err := h.link.Append(ctx, message(to, text), func(s parley.Sent, err error) {
						mu.Lock()
						defer mu.Unlock()
						if err != nil {
							return
						}
						places[text] = s.Cursor
						if accepted++; accepted == enough {
							close(reached)
						}
					})
					if err != nil {
						return
					}
				}
			})
		}
		if r.reopenLayer != nil {
			r.within("accepting messages", reached)
		}
		r.reopen()
		cancel()
		r.join(&all)
		mu.Lock()
		checkAccepted(r, r.hub().readAll(to, parley.Cursor{}), places)
		mu.Unlock()
	}
}

// checkAccepted holds a log to what was appended.
func checkAccepted(r *rig, log []parley.Envelope, places map[string]parley.Cursor) {
	r.Helper()
	seen := make(map[string]bool)
	next := make(map[string]int)
	for _, e := range log {
		text := string(e.Data)
		place, appended := places[text]
		if !appended || seen[text] || !place.IsZero() && place != e.Cursor {
			r.Errorf("%s is in the log at %v, and was accepted at %v; twice: %v", text, e.Cursor, place, seen[text])
		}
		seen[text] = true
		var round, g, i int
		_, _ = fmt.Sscanf(text, "%d/%d-%d", &round, &g, &i)
		from := fmt.Sprintf("%d/%d", round, g)
		if i < next[from] {
			r.Errorf("%s is in the log behind number %d", text, next[from]-1)
		}
		next[from] = i + 1
	}
	for text, place := range places {
		if !place.IsZero() && !seen[text] {
			r.Errorf("%s was accepted at %v and is lost", text, place)
		}
	}
}

// testReopenKeys still knows the keys.
func testReopenKeys(r *rig) {
	h, to := r.hub(), parley.Group("g")
	var sent []parley.Sent
	for _, key := range numbers(1, 50) {
		sent = append(sent, h.append(keyed(to, key, key)))
	}
	for range 2 {
		r.reopen()
		h = r.hub()
		for i, key := range numbers(1, 50) {
			if got := h.append(keyed(to, key, key)); got.Cursor != sent[i].Cursor || !got.Time.Equal(sent[i].Time) {
				r.Errorf("a repeated message has the place %v, want %v", got, sent[i])
			}
		}
		if _, err := h.try(keyed(to, "other", "7")); !hasCode(err, parley.Conflict) {
			r.Errorf("other data under the same key: %v", err)
		}
		h.checkTexts("the log", h.readAll(to, parley.Cursor{}), numbers(1, 50)...)
	}
}

// testReopenIntroduced has cursors that were introduced survive at once.
func testReopenIntroduced(r *rig) {
	to := parley.User("u")
	for i := range 10 {
		h, name := r.hub(), fmt.Sprint("device ", i)
		at := h.head(to)
		if err := h.link.Introduce(r.Context(), to, name, at); err != nil {
			r.Fatalf("introducing %s: %v", name, err)
		}
		r.reopen()
		h = r.hub()
		if got := h.cursors(to)[name]; got != at {
			r.Fatalf("%s is at %v after a crash, want %v", name, got, at)
		}
		moved := h.appendTexts(to, fmt.Sprint(i))[0].Cursor
		h.link.Advance(to, "moved", moved)
		if err := h.link.Introduce(r.Context(), to, "moved", at); err != nil {
			r.Fatalf("introducing a cursor that was moved: %v", err)
		}
		r.reopen()
		if got := r.hub().cursors(to)["moved"]; got != moved {
			r.Fatalf("a cursor that was moved, then introduced, is at %v after a crash, want %v", got, moved)
		}
	}
}

// testReopenCursors has named cursors survive, but perhaps the last moves.
func testReopenCursors(r *rig) {
	h, to := r.hub(), parley.User("u")
	sent := h.appendTexts(to, numbers(1, 20)...)
	var oldest uint64 // that a cursor may be at
	for _, s := range sent[5:8] {
		for wait := time.Millisecond; ; wait *= 2 {
			h.link.Advance(to, "name", s.Cursor)
			<-time.After(wait) // nothing else tells when a move is safe
			r.reopen()
			h = r.hub()
			at := h.cursors(to)["name"]
			if at.Seq < oldest || at.Seq > s.Cursor.Seq {
				r.Errorf("a cursor that was at %d or behind, and not behind %d, is at %d", oldest, s.Cursor.Seq, at.Seq)
			}
			if at == s.Cursor {
				break
			}
			if wait > patience {
				r.Fatalf("a cursor that was moved %v ago did not survive", wait)
			}
		}
		oldest = s.Cursor.Seq
	}
}
