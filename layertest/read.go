package layertest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rt/parley"
)

// numbers returns the texts of the numbers from first to last.
func numbers(first, last int) (texts []string) {
	for i := first; i <= last; i++ {
		texts = append(texts, fmt.Sprint(i))
	}
	return texts
}

// testPages reads forward, within limits.
func testPages(r *rig) {
	h, to := r.hub(), parley.Group("g")
	empty := h.readAfter(to, parley.Cursor{}, manyMessages)
	if len(empty.Messages) > 0 || empty.More || empty.Missed || empty.Cursor.Epoch == 0 {
		r.Errorf("a log without messages reads as %+v", empty)
	}
	sent := h.appendTexts(to, numbers(1, 10)...)
	h.checkTexts("what followed the empty page", h.readAll(to, empty.Cursor), numbers(1, 10)...)

	var got []string
	at, pages := parley.Cursor{}, 0
	for more := true; more; pages++ {
		p := h.readAfter(to, at, parley.PageLimit{Messages: 3, Bytes: 1000})
		if p.Missed || len(p.Messages) == 0 || len(p.Messages) > 3 || p.Cursor != p.Messages[len(p.Messages)-1].Cursor {
			r.Fatalf("page behind %v: %+v", at, p)
		}
		got = append(got, texts(p.Messages)...)
		at, more = p.Cursor, p.More
	}
	if !slices.Equal(got, numbers(1, 10)) || pages < 4 {
		r.Errorf("%d pages hold %q", pages, got)
	}
	end := h.readAfter(to, sent[9].Cursor, manyMessages)
	if len(end.Messages) > 0 || end.More || end.Missed || end.Cursor != sent[9].Cursor {
		r.Errorf("behind the head there is %+v", end)
	}
	h.checkTexts("behind the seventh", h.readAll(to, sent[6].Cursor), "8", "9", "10")
	checkPageBytes(r, h)
}

// checkPageBytes has pages that hold no more bytes than they may, but always a
// message.
func checkPageBytes(r *rig, h *hub) {
	to := parley.Group("sized")
	for range 4 {
		h.append(message(to, strings.Repeat("x", 1000)))
	}
	for bytes, want := range map[int]int{1: 1, 1999: 1, 2000: 2, 3999: 3, 4000: 4} {
		limit := parley.PageLimit{Messages: 100, Bytes: bytes}
		p := h.readAfter(to, parley.Cursor{}, limit)
		if len(p.Messages) == 0 || len(p.Messages) > want || !p.More != (len(p.Messages) == 4) {
			r.Errorf("a page of %d bytes holds %d messages, more: %v; want %d", bytes, len(p.Messages), p.More, want)
		}
		p = h.readBefore(to, parley.Cursor{}, limit)
		if len(p.Messages) == 0 || len(p.Messages) > want || !p.More != (len(p.Messages) == 4) {
			r.Errorf("a page backward of %d bytes holds %d messages, more: %v; want %d", bytes, len(p.Messages), p.More, want)
		}
	}
}

// testPagesBackward reads the newest messages, and those before them.
func testPagesBackward(r *rig) {
	h, to := r.hub(), parley.User("u")
	empty := h.readBefore(to, parley.Cursor{}, manyMessages)
	if len(empty.Messages) > 0 || empty.More || empty.Missed {
		r.Errorf("a log without messages reads backward as %+v", empty)
	}
	sent := h.appendTexts(to, numbers(1, 10)...)
	var got []string
	at, pages := parley.Cursor{}, 0
	for more := true; more; pages++ {
		p := h.readBefore(to, at, parley.PageLimit{Messages: 4, Bytes: 1000})
		if p.Missed || len(p.Messages) == 0 || len(p.Messages) > 4 || p.Cursor != p.Messages[0].Cursor {
			r.Fatalf("page before %v: %+v", at, p)
		}
		got = append(texts(p.Messages), got...)
		at, more = p.Cursor, p.More
	}
	if !slices.Equal(got, numbers(1, 10)) || pages < 3 {
		r.Errorf("%d pages hold %q", pages, got)
	}
	last := h.readBefore(to, parley.Cursor{}, parley.PageLimit{Messages: 2, Bytes: 1000})
	h.checkTexts("the last two", last.Messages, "9", "10")
	before := h.readBefore(to, sent[4].Cursor, manyMessages)
	h.checkTexts("before the fifth", before.Messages, "1", "2", "3", "4")
	if before.More {
		r.Error("there is more before the first message")
	}
	none := h.readBefore(to, sent[0].Cursor, manyMessages)
	if len(none.Messages) > 0 || none.More || none.Missed || none.Cursor != sent[0].Cursor {
		r.Errorf("before the first message there is %+v", none)
	}
}

// testMissed asks for places that a log does not have.
func testMissed(r *rig) {
	h, to := r.hub(), parley.Group("g")
	check := func(want ...string) {
		head := h.head(to)
		for name, at := range map[string]parley.Cursor{
			"of another epoch":                     {Epoch: head.Epoch ^ 1, Seq: head.Seq},
			"at the beginning of another epoch":    {Epoch: head.Epoch + 1},
			"beyond the head":                      {Epoch: head.Epoch, Seq: head.Seq + 1},
			"far beyond the head":                  {Epoch: head.Epoch, Seq: 1<<64 - 1},
			"beyond the head and of another epoch": {Epoch: head.Epoch + 1<<40, Seq: head.Seq + 1000},
		} {
			p := h.readAfter(to, at, parley.PageLimit{Messages: 3, Bytes: 1000})
			h.checkTexts("behind a place "+name, p.Messages, want[:min(3, len(want))]...)
			if !p.Missed || p.More != (len(want) > 3) {
				r.Errorf("behind a place %s: Missed is %v and More %v", name, p.Missed, p.More)
			}
			h.checkTexts("the page after one behind a place "+name, h.readAll(to, p.Cursor), want[min(3, len(want)):]...)
			p = h.readBefore(to, at, parley.PageLimit{Messages: 3, Bytes: 1000})
			h.checkTexts("before a place "+name, p.Messages, want[max(0, len(want)-3):]...)
			if !p.Missed || p.More != (len(want) > 3) {
				r.Errorf("before a place %s: Missed is %v and More %v", name, p.Missed, p.More)
			}
		}
		for _, at := range []parley.Cursor{{}, head} {
			if h.readAfter(to, at, manyMessages).Missed || h.readBefore(to, at, manyMessages).Missed {
				r.Errorf("the log cannot go on from %v, and its head is %v", at, head)
			}
		}
	}
	check()
	h.appendTexts(to, numbers(1, 5)...)
	check(numbers(1, 5)...)
}
