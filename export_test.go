package parley

import "fmt"

// MatchWildcard is for FuzzWildcard.
var MatchWildcard = matchWildcard

// Left says what a hub still holds of connections that are gone, "" for
// nothing.
func Left(h *Hub) string {
	entries := 0
	for i := range h.table.shards {
		s := &h.table.shards[i]
		s.mu.RLock()
		entries += len(s.entries)
		s.mu.RUnlock()
	}
	if n := h.live.count(); n+entries > 0 {
		return fmt.Sprintf("%d connections and %d addresses are left", n, entries)
	}
	return ""
}
