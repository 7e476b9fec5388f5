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

// retention returns how much of an address's log is kept; false where there is no
// hub to say. Those of one layer are to have the same rules; where they have not,
// the one that was attached first has its way.
func (h *hubs) retention(of parley.Address) (keep parley.Retention, ok bool) {
	links := h.list()
	if len(links) == 0 {
		return keep, false
	}
	return links[0].local.Retention(of), true
}

// acknowledged returns the place up to which no hub has a claim on a log, upTo at
// most. It may be called with a log's mu held.
func (h *hubs) acknowledged(of parley.Address, upTo parley.Cursor) uint64 {
	for _, k := range h.list() {
		upTo = k.local.Acknowledged(of, upTo)
	}
	return upTo.Seq
}

// deliver hands a message that is kept to the hub.
func (k *link) deliver(e parley.Envelope) {
	k.telling.RLock()
	defer k.telling.RUnlock()
	if k.closed.Load() {
		return
	}
	if err := k.local.Deliver(context.Background(), e); err != nil && !k.closed.Load() {
		k.layer.cfg.Logger.Error("disklayer: a hub refused a message", "to", e.To, "err", err)
	}
}
