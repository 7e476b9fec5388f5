package layertest

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// hub is a hub as a layer sees it. It notes what it is handed, and holds that to
// what every delivery promises.
type hub struct {
	t         *testing.T
	link      parley.Link
	retention parley.Retention
	// onDeliver is called, if not nil, for what is handed over, which is not
	// noted then. It is set before there is anything.
	onDeliver func(parley.Envelope)
	// exits has Deliver end its goroutine once it noted a message. It is set before
	// there is anything.
	exits func(parley.Envelope) bool

	mu      sync.Mutex // guards what follows
	changed chan struct{}
	handed  map[parley.Address][]parley.Envelope // kept ones
	passed  []parley.Envelope                    // those that are not kept
	busy    map[parley.Address]bool              // a kept one is being handed over
	members []parley.Member
	claims  map[parley.Address]parley.Cursor
	ended   bool
}

// Deliver notes a message.
func (h *hub) Deliver(_ context.Context, e parley.Envelope) error {
	if h.onDeliver != nil {
		h.onDeliver(e)
		return nil
	}
	h.enter(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Cursor.IsZero() {
		h.passed = append(h.passed, e)
	} else {
		h.handed[e.To] = append(h.handed[e.To], e)
		h.busy[e.To] = false
	}
	close(h.changed)
	h.changed = make(chan struct{})
	if h.exits != nil && h.exits(e) {
		runtime.Goexit()
	}
	return nil
}

// enter checks a message that is handed over.
func (h *hub) enter(e parley.Envelope) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		h.t.Errorf("%q was handed to a hub whose link is closed", e.Data)
	}
	if e.Key != "" {
		h.t.Errorf("a message was handed over with its key %q", e.Key)
	}
	if e.Cursor.IsZero() {
		return
	}
	if h.busy[e.To] {
		h.t.Errorf("two messages of %v were handed over at once", e.To)
	}
	h.busy[e.To] = true
	if e.Prev >= e.Cursor.Seq {
		h.t.Errorf("message %d of %v was handed over with Prev %d", e.Cursor.Seq, e.To, e.Prev)
	}
	if n := len(h.handed[e.To]); n > 0 {
		last := h.handed[e.To][n-1].Cursor
		if e.Cursor.Epoch != last.Epoch || e.Cursor.Seq <= last.Seq || e.Prev < last.Seq {
			h.t.Errorf("%v with Prev %d was handed over behind %v", e.Cursor, e.Prev, last)
		}
	}
}

// Acknowledged returns where the claim on an address's log is, if there is one.
func (h *hub) Acknowledged(of parley.Address, upTo parley.Cursor) parley.Cursor {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.claims[of]; ok && at.Seq < upTo.Seq {
		return parley.Cursor{Epoch: upTo.Epoch, Seq: at.Seq}
	}
	return upTo
}

// claim sets the claim on an address's log.
func (h *hub) claim(of parley.Address, at parley.Cursor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claims[of] = at
}

// Retention returns that of all addresses.
func (h *hub) Retention(parley.Address) parley.Retention { return h.retention }

// LocalMembers returns the members of all addresses.
func (h *hub) LocalMembers(context.Context, parley.Address) ([]parley.Member, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.members, nil
}

// Reread has nothing to do: what a hub was not handed it reads in every test.
func (h *hub) Reread() {}

// LocalOnline reports whether there are members.
func (h *hub) LocalOnline(parley.Address) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.members) > 0
}

func (h *hub) setMembers(members ...parley.Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members = members
}

func (h *hub) over() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ended
}

// end makes whatever is handed over an error.
func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
}

// close closes the link, within a bounded time.
func (h *hub) close() {
	h.t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- h.link.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			h.t.Errorf("closing a link: %v", err)
		}
	case <-time.After(patience):
		h.t.Fatalf("Close did not return within %v", patience)
	}
	h.end()
}

func (h *hub) subscribe(to parley.Address) {
	h.t.Helper()
	if err := h.link.Subscribe(h.t.Context(), to); err != nil {
		h.t.Fatalf("Subscribe(%v): %v", to, err)
	}
}

// wait waits until ok reports true of what was handed over. It is called with mu
// held.
func (h *hub) wait(what string, ok func() bool) {
	h.t.Helper()
	deadline := time.After(patience)
	h.mu.Lock()
	defer h.mu.Unlock()
	for !ok() {
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
			h.mu.Lock()
		case <-deadline:
			h.mu.Lock()
			h.t.Fatalf("%s did not happen within %v", what, patience)
		}
	}
}

// waitHanded waits until n kept messages of an address were handed over, and
// returns them.
func (h *hub) waitHanded(of parley.Address, n int) (handed []parley.Envelope) {
	h.t.Helper()
	h.wait("handing over all messages", func() bool {
		handed = h.handed[of]
		return len(handed) >= n
	})
	return handed
}

// waitPassed waits until n messages were handed over that are not kept.
func (h *hub) waitPassed(n int) (passed []parley.Envelope) {
	h.t.Helper()
	h.wait("handing over all messages", func() bool {
		passed = h.passed
		return len(passed) >= n
	})
	return passed
}
