package layertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/parley-rt/parley"
)

// moved waits until the cursors of an address are as they should be.
func (r *rig) moved(h *hub, of parley.Address, want map[string]parley.Cursor) {
	r.Helper()
	var got map[string]parley.Cursor
	defer func() {
		if r.Failed() {
			r.Logf("the cursors are %v, want %v", got, want)
		}
	}()
	r.eventually("moving cursors", func() bool {
		got = h.cursors(of)
		return maps.Equal(got, want)
	})
}

// testCursors moves named cursors, each forward only.
func testCursors(r *rig) {
	h, to, other := r.hub(), parley.User("u"), parley.Group("u")
	if got := h.cursors(to); len(got) > 0 {
		r.Errorf("a log without messages has the cursors %v", got)
	}
	sent := h.appendTexts(to, numbers(1, 5)...)
	h.link.Advance(to, "a", sent[1].Cursor)
	h.link.Advance(to, "b", sent[3].Cursor)
	r.moved(h, to, map[string]parley.Cursor{"a": sent[1].Cursor, "b": sent[3].Cursor})
	if got := h.cursors(other); len(got) > 0 {
		r.Errorf("another address has the cursors %v", got)
	}
	h.link.Advance(to, "b", sent[2].Cursor)
	h.link.Advance(to, "a", sent[4].Cursor)
	r.moved(r.hub(), to, map[string]parley.Cursor{"a": sent[4].Cursor, "b": sent[3].Cursor})

	head := h.head(to)
	for _, bad := range []parley.Cursor{
		{},
		{Epoch: head.Epoch + 1, Seq: head.Seq},
		{Epoch: head.Epoch, Seq: head.Seq + 1},
		{Epoch: head.Epoch, Seq: 1<<64 - 1},
	} {
		h.link.Advance(to, "a", bad)
		h.link.Advance(to, "bad", bad)
	}
	h.link.Advance(to, "c", sent[0].Cursor)
	r.moved(h, to, map[string]parley.Cursor{"a": sent[4].Cursor, "b": sent[3].Cursor, "c": sent[0].Cursor})
}

// testIntroduce sets cursors where there are none.
func testIntroduce(r *rig) {
	h, to := r.hub(), parley.User("u")
	introduce := func(name string, at parley.Cursor) {
		r.Helper()
		if err := h.link.Introduce(r.Context(), to, name, at); err != nil {
			r.Fatalf("introducing %s: %v", name, err)
		}
	}
	empty := h.head(to)
	introduce("a", empty)
	sent := h.appendTexts(to, numbers(1, 5)...)
	introduce("a", sent[3].Cursor)
	introduce("b", sent[2].Cursor)
	for _, bad := range []parley.Cursor{{Epoch: empty.Epoch + 1, Seq: 1}, {Epoch: empty.Epoch, Seq: 1<<64 - 1}} {
		if err := h.link.Introduce(r.Context(), to, "bad", bad); !hasCode(err, parley.Unavailable) {
			r.Errorf("introducing a cursor at %v, which is no place: %v", bad, err)
		}
		if err := h.link.Introduce(r.Context(), to, "a", bad); err != nil {
			r.Errorf("introducing a cursor that there is: %v", err)
		}
	}
	if got, want := h.cursors(to), map[string]parley.Cursor{"a": empty, "b": sent[2].Cursor}; !maps.Equal(got, want) {
		r.Errorf("the cursors are %v, want %v", got, want)
	}
	h.link.Advance(to, "a", sent[1].Cursor)
	r.moved(r.hub(), to, map[string]parley.Cursor{"a": sent[1].Cursor, "b": sent[2].Cursor})
}

// testIntroduceConcurrent introduces one cursor at many places at once: where it is
// when one of the calls returned, it stays.
func testIntroduceConcurrent(r *rig) {
	hubs, to := []*hub{r.hub(), r.hub()}, parley.User("u")
	sent := hubs[0].appendTexts(to, numbers(1, 8)...)
	for round := range 20 {
		name, found := fmt.Sprint(round), make([]parley.Cursor, len(sent))
		var all sync.WaitGroup
		for i, s := range sent {
			h := hubs[i%2]
			all.Go(func() {
				if err := h.link.Introduce(r.Context(), to, name, s.Cursor); err != nil {
					r.Errorf("introducing a cursor: %v", err)
				}
				found[i] = h.cursors(to)[name]
			})
		}
		r.join(&all)
		if at := hubs[0].cursors(to)[name]; at.IsZero() || slices.ContainsFunc(found, func(c parley.Cursor) bool { return c != at }) {
			r.Errorf("a cursor that was introduced is at %v, and was at %v", at, found)
		}
	}
}

// testCursorsMany has no cursor forgotten for another one, but for the one whose name is
// empty there is room always.
func testCursorsMany(r *rig) {
	const most = parley.MaxCursors
	h, to := r.hub(), parley.User("u")
	sent := h.appendTexts(to, "1", "2")
	want := make(map[string]parley.Cursor)
	for i := range most {
		h.link.Advance(to, fmt.Sprint(i), sent[0].Cursor)
		want[fmt.Sprint(i)] = sent[0].Cursor
	}
	r.moved(h, to, want)
	h.link.Advance(to, "one more", sent[0].Cursor)
	refused := func() {
		if err := h.link.Introduce(r.Context(), to, "and one", sent[0].Cursor); !hasCode(err, parley.Conflict) {
			r.Errorf("a cursor too many: %v, want %v", err, parley.Conflict)
		}
	}
	refused()
	if err := h.link.Introduce(r.Context(), to, "", sent[0].Cursor); err != nil {
		r.Error(err)
	}
	if err := h.link.Introduce(r.Context(), to, "0", sent[0].Cursor); err != nil {
		r.Error(err)
	}
	h.link.Advance(to, "0", sent[1].Cursor)
	h.link.Advance(to, "", sent[1].Cursor)
	want["0"], want[""] = sent[1].Cursor, sent[1].Cursor
	r.moved(h, to, want)
	refused()
}

// testCursorNames has cursors of like names be each their own.
func testCursorNames(r *rig) {
	h := r.hub()
	for _, to := range []parley.Address{parley.User("u"), parley.User("u.a"), parley.Group("u")} {
		sent := h.appendTexts(to, numbers(1, 20)...)
		want := make(map[string]parley.Cursor)
		for i, name := range []string{"", "a", "A", "a.b", "a/b", "ab", "*", ">", "a b", " ", "é", "e\u0301", "🙂", strings.Repeat("n", 200)} {
			h.link.Advance(to, name, sent[i].Cursor)
			want[name] = sent[i].Cursor
		}
		r.moved(h, to, want)
	}
}
