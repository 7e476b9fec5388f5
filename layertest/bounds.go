package layertest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/parley-rt/parley"
)

// testHugeBounds keeps everything, by the largest bounds there are, and reads it within
// such limits.
func testHugeBounds(r *rig) {
	const messages, size = 36, 1 << 20
	h := r.hubKeeping(parley.Retention{Messages: math.MaxInt, Bytes: math.MaxInt64, Age: math.MaxInt64})
	limit := parley.PageLimit{Messages: math.MaxInt, Bytes: math.MaxInt}
	for _, to := range []parley.Address{parley.User("u"), parley.Group("g")} {
		data := strings.Repeat("x", size)
		for i := range messages {
			if _, err := h.try(message(to, fmt.Sprint(i, data))); err != nil {
				r.Fatalf("message %d of %d bytes: %v", i, size, err)
			}
		}
		head := h.head(to)
		h.link.Advance(to, "a", head)
		if err := h.link.Introduce(r.Context(), to, "b", head); err != nil {
			r.Errorf("introducing a cursor: %v", err)
		}
		r.moved(h, to, map[string]parley.Cursor{"a": head, "b": head})
		for name, p := range map[string]parley.Page{
			"forward":  h.readAfter(to, parley.Cursor{}, limit),
			"backward": h.readBefore(to, parley.Cursor{}, limit),
		} {
			if len(p.Messages) != messages || p.More || p.Missed || p.Lost != 0 {
				r.Errorf("%s %d messages of %d are read, more: %v, missed: %v, %d lost", name, len(p.Messages), messages, p.More, p.Missed, p.Lost)
			}
		}
	}
}

// testSenders has the longest names of senders come back with the data as it was.
func testSenders(r *rig) {
	h, to := r.hub(), parley.User("u")
	froms := []parley.Address{{}, parley.Everyone, parley.Group("g"), parley.User(strings.Repeat("n", parley.MaxNameBytes))}
	for _, from := range froms {
		e := message(to, "data")
		e.From = from
		h.append(e)
	}
	check := func(h *hub) {
		for i, e := range h.readAll(to, parley.Cursor{}) {
			if string(e.Data) != "data" || e.From != froms[i] {
				r.Errorf("message %d is %.100q from %v, want it from %v", i, e.Data, e.From, froms[i])
			}
		}
	}
	check(h)
	if r.reopenLayer != nil {
		r.reopen()
		check(r.hub())
	}
}

// testCursorAge has cursors be forgotten that were not moved for long, and no others.
// One that was forgotten can be introduced where it was not.
func testCursorAge(r *rig) {
	retention := plenty
	retention.Age = 500 * time.Millisecond
	h, to := r.hubKeeping(retention), parley.User("u")
	first := h.append(message(to, "first")).Cursor
	began := time.Now()
	for _, name := range []string{"still", "moved"} {
		if err := h.link.Introduce(r.Context(), to, name, first); err != nil {
			r.Fatalf("introducing %s: %v", name, err)
		}
	}
	var at parley.Cursor
	r.eventually("forgetting a cursor", func() bool {
		moved := time.Now()
		h.link.Advance(to, "moved", first)
		named := h.cursors(to)
		if at = named["moved"]; at != first && time.Since(moved) < retention.CursorAge() {
			r.Fatalf("a cursor that was just moved to %v is at %v", first, at)
		}
		return named["still"].IsZero()
	})
	if old := time.Since(began); old < retention.CursorAge() {
		r.Errorf("a cursor is forgotten after %v, want %v", old, retention.CursorAge())
	}
	second := h.append(message(to, "second")).Cursor
	for range 2 { // the second time there is one
		asked := time.Now()
		if err := h.link.Introduce(r.Context(), to, "still", second); err != nil {
			r.Fatalf("introducing a cursor that was forgotten: %v", err)
		}
		if got := h.cursors(to)["still"]; got != second && time.Since(asked) < retention.CursorAge() {
			r.Errorf("a cursor that was forgotten, then introduced at %v, is at %v", second, got)
		}
	}
	r.eventually("forgetting all cursors", func() bool { return len(h.cursors(to)) == 0 })
	moved := time.Now()
	h.link.Advance(to, "still", first) // a new one, though before where it was
	if got := h.cursors(to)["still"]; got != first && time.Since(moved) < retention.CursorAge() {
		r.Errorf("a cursor that was forgotten, then moved to %v, is at %v", first, got)
	}
}

// testReopenTrimmed trims a log, opens it again, and goes on: what was trimmed is missed,
// and no place comes twice.
func testReopenTrimmed(r *rig) {
	const keep = 10
	retention := plenty
	retention.Messages = keep
	h, to, other := r.hubKeeping(retention), parley.User("u"), parley.Group("g")
	sent := h.appendTexts(to, numbers(1, 3*keep)...)
	for round := range 3 {
		r.trimmed(h, to, sent, func(kept []string) bool { return len(kept) == keep })
		heads := []parley.Cursor{h.head(to), h.head(other)}
		r.reopen()
		h = r.hubKeeping(retention)
		r.trimmed(h, to, sent, func(kept []string) bool { return len(kept) == keep })
		if got := h.head(to); got != heads[0] {
			r.Errorf("the head was %v, and is %v", heads[0], got)
		}
		sent = append(sent, h.appendTexts(to, fmt.Sprint("more ", round))...)
		for i, s := range []parley.Sent{sent[len(sent)-1], h.append(message(other, "data"))} {
			if s.Cursor.Epoch != heads[i].Epoch || s.Cursor.Seq <= heads[i].Seq {
				r.Errorf("the head %v was told, and then %v is given", heads[i], s.Cursor)
			}
		}
	}
}
