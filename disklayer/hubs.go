package disklayer

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parley-rt/parley"
)

// hubs are those attached to a layer.
type hubs struct {
	mu    sync.Mutex              // serialises changes
	links atomic.Pointer[[]*link] // replaced, never changed
}

func (h *hubs) list() []*link {
	if links := h.links.Load(); links != nil {
		return *links
	}
	return nil
}

func (h *hubs) change(f func([]*link) []*link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	links := f(slices.Clone(h.list()))
	h.links.Store(&links)
}

// retention returns how much of an address's log any of the hubs wants to be
// kept; false where there is no hub.
func (h *hubs) retention(of parley.Address) (keep parley.Retention, ok bool) {
	for _, l := range h.list() {
		r := l.local.Retention(of)
		keep = parley.Retention{Messages: max(keep.Messages, r.Messages), Bytes: max(keep.Bytes, r.Bytes), Age: max(keep.Age, r.Age)}
		ok = true
	}
	return keep, ok
}

// deliver hands a message that is kept to the hub.
func (l *link) deliver(e parley.Envelope) {
	if l.closed.Load() {
		return
	}
	if err := l.local.Deliver(context.Background(), e); err != nil && !l.closed.Load() {
		l.layer.cfg.Logger.Error("disklayer: a hub refused a message", "to", e.To, "err", err)
	}
}
