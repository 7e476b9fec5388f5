package layertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/parley-rt/parley"
)

// result is what became of an append.
type result struct {
	parley.Sent
	err error
}

// start appends a message, and returns where the result will be.
func (h *hub) start(ctx context.Context, e parley.Envelope) <-chan result {
	results := make(chan result, 1)
	var once sync.Mutex
	times := 0
	err := h.link.Append(ctx, e, func(s parley.Sent, err error) {
		once.Lock()
		defer once.Unlock()
		if times++; times > 1 {
			h.t.Errorf("done was called %d times for %q", times, e.Data)
			return
		}
		results <- result{s, err}
	})
	if err != nil {
		once.Lock()
		defer once.Unlock()
		if times++; times > 1 {
			h.t.Errorf("Append of %q returned %v, and called done", e.Data, err)
			return results
		}
		results <- result{err: err}
	}
	return results
}

// await waits for a result.
func (h *hub) await(results <-chan result) result {
	h.t.Helper()
	select {
	case r := <-results:
		return r
	case <-time.After(patience):
		h.t.Errorf("done was not called within %v", patience)
		return result{err: errors.New("no result")}
	case <-h.t.Context().Done():
		return result{err: context.Cause(h.t.Context())}
	}
}

func message(to parley.Address, text string) parley.Envelope {
	e := parley.Envelope{Message: parley.Text(text)}
	e.To = to
	return e
}

func keyed(to parley.Address, text, key string) parley.Envelope {
	e := message(to, text)
	e.Key = key
	return e
}

// try appends a message and waits for the result.
func (h *hub) try(e parley.Envelope) (parley.Sent, error) {
	h.t.Helper()
	r := h.await(h.start(h.t.Context(), e))
	return r.Sent, r.err
}

// append appends a message, which must be accepted.
func (h *hub) append(e parley.Envelope) parley.Sent {
	h.t.Helper()
	s, err := h.try(e)
	if err != nil {
		h.t.Fatalf("appending %.100q to %v: %v", e.Data, e.To, err)
	}
	return s
}

// appendTexts appends messages one after the other.
func (h *hub) appendTexts(to parley.Address, texts ...string) (sent []parley.Sent) {
	h.t.Helper()
	for _, text := range texts {
		sent = append(sent, h.append(message(to, text)))
	}
	return sent
}

func (h *hub) head(of parley.Address) parley.Cursor {
	h.t.Helper()
	c, err := h.link.Head(h.t.Context(), of)
	if err != nil {
		h.t.Errorf("Head(%v): %v", of, err)
	}
	return c
}

func (h *hub) readAfter(of parley.Address, after parley.Cursor, limit parley.PageLimit) parley.Page {
	h.t.Helper()
	p, err := h.link.ReadAfter(h.t.Context(), of, after, limit)
	if err != nil {
		h.t.Errorf("ReadAfter(%v, %v): %v", of, after, err)
	}
	return p
}

func (h *hub) readBefore(of parley.Address, before parley.Cursor, limit parley.PageLimit) parley.Page {
	h.t.Helper()
	p, err := h.link.ReadBefore(h.t.Context(), of, before, limit)
	if err != nil {
		h.t.Errorf("ReadBefore(%v, %v): %v", of, before, err)
	}
	return p
}

var manyMessages = parley.PageLimit{Messages: 100, Bytes: 1 << 20}

// readAll returns all messages behind a place.
func (h *hub) readAll(of parley.Address, after parley.Cursor) (all []parley.Envelope) {
	h.t.Helper()
	for {
		p := h.readAfter(of, after, manyMessages)
		if p.Missed {
			h.t.Errorf("the log of %v cannot go on from %v", of, after)
			return all
		}
		all, after = append(all, p.Messages...), p.Cursor
		if !p.More {
			return all
		}
	}
}

func (h *hub) cursors(of parley.Address) map[string]parley.Cursor {
	h.t.Helper()
	named, err := h.link.Cursors(h.t.Context(), of)
	if err != nil {
		h.t.Errorf("Cursors(%v): %v", of, err)
	}
	return named
}

// texts returns the data of messages.
func texts(es []parley.Envelope) []string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = string(e.Data)
	}
	return texts
}

// checkTexts compares messages with those that there should be.
func (h *hub) checkTexts(what string, got []parley.Envelope, want ...string) {
	h.t.Helper()
	if got := texts(got); !slices.Equal(got, want) {
		h.t.Errorf("%s: got %.200q, want %.200q", what, got, want)
	}
}

// hasCode reports whether err is a parley.Error of a code.
func hasCode(err error, code parley.Code) bool {
	e, ok := errors.AsType[*parley.Error](err)
	return ok && e.Code == code
}
