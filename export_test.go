package parley

import (
	"fmt"
	"runtime"
)

// MatchWildcard is for FuzzWildcard.
var MatchWildcard = matchWildcard

// What tests look at from outside.
const (
	Few            = maxFew
	MaxIdleRunners = maxIdleRunners
)

// IdleRunners returns how many goroutines wait for a connection with events.
func IdleRunners(h *Hub) int {
	h.runners.mu.Lock()
	defer h.runners.mu.Unlock()
	return len(h.runners.idle)
}

// Goroutines returns how many goroutines there are. runtime.NumGoroutine counts those
// that ended too, by the hundred, while a garbage collection frees their stacks.
func Goroutines() int {
	for {
		stacks := make([]runtime.StackRecord, runtime.NumGoroutine()+100)
		if n, ok := runtime.GoroutineProfile(stacks); ok {
			return n
		}
	}
}

// Waiting returns how many functions wait for the end of a connection's context.
func Waiting(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life == nil {
		return 0
	}
	return len(c.life.after)
}

// Left says what a hub still holds of connections that are gone, "" for
// nothing.
func Left(h *Hub) string {
	entries := 0
	for i := range h.table.shards {
		s := &h.table.shards[i]
		s.mu.RLock()
		entries += s.topics.Len() + s.listeners.Len()
		s.mu.RUnlock()
	}
	if n := h.live.count(); n+entries > 0 {
		return fmt.Sprintf("%d connections and %d addresses are left", n, entries)
	}
	return ""
}

// NewPortableHub returns a hub that does not read and write sockets in its event
// loops, as if the system could not.
func NewPortableHub(options *Options) *Hub {
	opts := options.withDefaults()
	cfg := opts.socketConfig()
	cfg.Portable = true
	return newHub(opts, cfg)
}

// PutOff returns how many calls wait until a connection is accepted.
func PutOff(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.setup.then)
}

// Joining returns how many joins are under way.
func Joining(h *Hub) int {
	h.joins.mu.Lock()
	defer h.joins.mu.Unlock()
	return h.joins.of.Len()
}
