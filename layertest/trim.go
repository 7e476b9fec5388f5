package layertest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-rt/parley"
)

// testTrimCount keeps so many messages.
func testTrimCount(r *rig) {
	const keep = 10
	retention := plenty
	retention.Messages = keep
	h, to := r.hubKeeping(retention), parley.User("u")
	sent := h.appendTexts(to, numbers(1, 3*keep)...)
	r.trimmed(h, to, sent, func(kept []string) bool { return len(kept) == keep })
	r.placedBefore(h, to)
	other := parley.Group("other")
	h.appendTexts(other, numbers(1, keep)...)
	h.checkTexts("a log at its bound", h.readAll(other, parley.Cursor{}), numbers(1, keep)...)
}

// placedBefore has cursors be where a log was trimmed: before its first message.
func (r *rig) placedBefore(h *hub, to parley.Address) {
	r.Helper()
	first := h.readAfter(to, parley.Cursor{}, manyMessages).Messages[0]
	at := parley.Cursor{Epoch: first.Cursor.Epoch, Seq: first.Prev}
	if err := h.link.Introduce(r.Context(), to, "a", at); err != nil {
		r.Fatalf("introducing a cursor: %v", err)
	}
	h.link.Advance(to, "b", at)
	r.moved(h, to, map[string]parley.Cursor{"a": at, "b": at})
	if p := h.readAfter(to, at, manyMessages); len(p.Messages) == 0 || p.Messages[0].Cursor != first.Cursor {
		r.Errorf("behind the place before %v there is %.200q", first.Cursor, texts(p.Messages))
	}
}

// testTrimBytes keeps so many bytes.
func testTrimBytes(r *rig) {
	const size, keep = 1000, 20
	retention := plenty
	retention.Bytes = size * keep
	h, to := r.hubKeeping(retention), parley.Group("g")
	var sent []parley.Sent
	for i := range 3 * keep {
		sent = append(sent, h.append(message(to, fmt.Sprintf("%0*d", size, i))))
	}
	r.trimmed(h, to, sent, func(kept []string) bool {
		if len(kept) < keep {
			r.Errorf("%d bytes are kept, want %d", size*len(kept), size*keep)
		}
		return len(kept) <= keep+keep/8
	})
}

// trimmed waits until ok reports true of the log, with more messages meanwhile
// where it takes long, and checks that what was trimmed is missed then, and
// nothing else.
func (r *rig) trimmed(h *hub, to parley.Address, sent []parley.Sent, ok func(kept []string) bool) {
	r.Helper()
	var kept []parley.Envelope
	first := sent[0].Cursor
	tries := 0
	r.eventually("trimming", func() bool {
		kept = nil
		p := h.readAfter(to, first, manyMessages)
		for kept = p.Messages; p.More; kept = append(kept, p.Messages...) {
			p = h.readAfter(to, p.Cursor, manyMessages)
		}
		if p.Missed && ok(texts(kept)) {
			return true
		}
		if tries++; tries%20 == 0 {
			sent = append(sent, h.append(message(to, strings.Repeat("x", len(kept[0].Data)))))
		}
		return false
	})
	n := len(sent) - len(kept)
	for i, s := range sent {
		if i == n-1 { // a layer need not know that nothing is missing behind it
			continue
		}
		p := h.readAfter(to, s.Cursor, manyMessages)
		if want := kept[max(0, i+1-n):]; p.Missed != (i < n) || !slices.Equal(texts(p.Messages), texts(want)) {
			r.Errorf("of %d messages %d are kept; behind number %d: Missed is %v, and %.200q", len(sent), len(kept), i, p.Missed, texts(p.Messages))
		}
		if p := h.readBefore(to, s.Cursor, manyMessages); p.Missed != (i < n) || p.More {
			r.Errorf("of %d messages %d are kept; before number %d: Missed is %v, More %v", len(sent), len(kept), i, p.Missed, p.More)
		}
	}
	if p := h.readAfter(to, parley.Cursor{}, manyMessages); p.Missed || p.Lost != int64(n) || !slices.Equal(texts(p.Messages), texts(kept)) {
		r.Errorf("from the beginning: Missed is %v, %d of %d are lost, and %.200q", p.Missed, p.Lost, n, texts(p.Messages))
	}
}

// testTrimAge keeps messages for some time.
func testTrimAge(r *rig) {
	retention := plenty
	retention.Age = 500 * time.Millisecond
	h, to := r.hubKeeping(retention), parley.User("u")
	r.hub().subscribe(to)
	sent := h.appendTexts(to, "a", "b", "c")
	for _, read := range []func() parley.Page{
		func() parley.Page { return h.readAfter(to, sent[0].Cursor, manyMessages) },
		func() parley.Page { return h.readBefore(to, sent[0].Cursor, manyMessages) },
	} {
		r.eventually("trimming", func() bool {
			if p := read(); !p.Missed {
				return false
			}
			if old := time.Since(sent[0].Time); old < retention.Age {
				r.Errorf("a message is gone after %v, want %v", old, retention.Age)
			}
			return true
		})
	}
	r.eventually("trimming", func() bool { return len(h.readAll(to, parley.Cursor{})) == 0 })
	if old := time.Since(sent[2].Time); old < retention.Age {
		r.Errorf("a message is gone after %v, want %v", old, retention.Age)
	}
	head := h.head(to)
	if head.Epoch != sent[2].Cursor.Epoch || head.Seq < sent[2].Cursor.Seq {
		r.Errorf("the head went from %v to %v", sent[2].Cursor, head)
	}
	next := h.append(message(to, "d"))
	if next.Cursor.Epoch != head.Epoch || next.Cursor.Seq <= head.Seq {
		r.Errorf("behind %v comes %v", head, next.Cursor)
	}
	p := h.readAfter(to, sent[0].Cursor, manyMessages)
	h.checkTexts("what is left", p.Messages, "d")
	if !p.Missed {
		r.Error("what was trimmed is not missed")
	}
}

// testTooLarge appends a message that is larger than its log.
func testTooLarge(r *rig) {
	retention := plenty
	retention.Bytes = 1000
	h, to := r.hubKeeping(retention), parley.Group("g")
	h.append(message(to, strings.Repeat("x", 1000)))
	if _, err := h.try(message(to, strings.Repeat("x", 1001))); !hasCode(err, parley.TooLarge) {
		r.Errorf("a message larger than its log: %v", err)
	}
	h.checkTexts("the log", h.readAll(to, parley.Cursor{}), strings.Repeat("x", 1000))
}
