package layertest

import (
	"fmt"
	"strings"

	"github.com/parley-rt/parley"
)

// testClaims has a connected receiver need more than the count of a log's retention:
// the log keeps it until it is acknowledged.
func testClaims(r *rig) {
	const keep = 10
	retention := plenty
	retention.Messages = keep
	for _, to := range []parley.Address{parley.User("u"), parley.Group("g"), parley.Everyone} {
		h := r.hubKeeping(retention)
		sent := h.appendTexts(to, numbers(1, 5)...)
		h.claim(to, sent[4].Cursor)
		sent = append(sent, h.appendTexts(to, numbers(6, 300)...)...)
		p := h.readAfter(to, sent[4].Cursor, parley.PageLimit{Messages: 1000, Bytes: 1 << 20})
		if p.Missed {
			r.Errorf("%v: what a claim needs was trimmed", to)
		}
		h.checkTexts("behind a claim on "+to.String(), p.Messages, numbers(6, 300)...)
		h.claim(to, sent[299].Cursor)
		h.link.Advance(to, "a", sent[299].Cursor)
		r.trimmed(h, to, sent, func(kept []string) bool { return len(kept) <= keep })
		p = h.readAfter(to, sent[0].Cursor, manyMessages)
		if first := p.Messages[0].Cursor.Seq - 1; !p.Missed || p.Lost < 1 || uint64(p.Lost) > first {
			r.Errorf("%v: behind the first message %d are lost, and the next one is %v", to, p.Lost, p.Messages[0].Cursor)
		}
		h.close()
	}
}

// testClaimedBytes fills logs with what a receiver needs: an inbox refuses more, and
// takes more once there is room. Any other log moves on.
func testClaimedBytes(r *rig) {
	const size, most = 1000, 20
	retention := plenty
	retention.Messages, retention.Bytes = 5, size*most
	h := r.hubKeeping(retention)
	inbox, group := parley.User("u"), parley.Group("g")
	text := func(i int) string { return fmt.Sprintf("%0*d", size, i) }
	for _, to := range []parley.Address{inbox, group} {
		h.claim(to, h.append(message(to, "first")).Cursor)
	}
	var sent []parley.Sent
	var full error
	for i := 0; full == nil && i < 10*most; i++ {
		s, err := h.try(message(inbox, text(i)))
		if sent, full = append(sent, s), err; full != nil {
			sent = sent[:i]
		}
	}
	if !hasCode(full, parley.Unavailable) || len(sent) < most-1 || len(sent) > most {
		r.Fatalf("an inbox of %d bytes refused message %d of %d bytes: %v", retention.Bytes, len(sent), size, full)
	}
	if p := h.readAfter(inbox, parley.Cursor{Epoch: sent[0].Cursor.Epoch, Seq: sent[0].Cursor.Seq}, manyMessages); p.Missed || len(p.Messages) != len(sent)-1 {
		r.Errorf("a full inbox has %d messages behind the first, want %d", len(p.Messages), len(sent)-1)
	}
	if _, err := h.try(keyed(inbox, text(0), "k")); !hasCode(err, parley.Unavailable) {
		r.Errorf("a full inbox took a message with a key: %v", err)
	}
	h.claim(inbox, sent[0].Cursor)
	h.append(keyed(inbox, text(0), "k"))
	if _, err := h.try(message(inbox, text(0))); !hasCode(err, parley.Unavailable) {
		r.Errorf("an inbox took more than it has room for: %v", err)
	}
	for i := range 5 * most { // a group never refuses
		h.append(message(group, text(i)))
	}
	if kept := h.readAll(group, parley.Cursor{}); len(kept) > most+most/8 || len(kept) < most {
		r.Errorf("a group of %d bytes holds %d messages of %d bytes", retention.Bytes, len(kept), size)
	}
	if s := h.append(message(parley.User("other"), strings.Repeat("x", size))); s.Cursor.IsZero() {
		r.Error("another inbox took nothing")
	}
}

// testClaimedMessages fills an inbox with messages of no size.
func testClaimedMessages(r *rig) {
	retention := plenty
	retention.Messages, retention.Bytes = 5, 64*40
	h, to := r.hubKeeping(retention), parley.User("u")
	h.claim(to, h.append(message(to, "")).Cursor)
	n, full := 0, error(nil)
	for ; full == nil && n < 1000; n++ {
		_, full = h.try(message(to, ""))
	}
	if most := retention.MostMessages(); !hasCode(full, parley.Unavailable) || n < most-1 || n > most+2 {
		r.Errorf("an inbox of %d messages at most refused number %d: %v", most, n, full)
	}
}
