// Package lean has a map that gives memory back. A Go map keeps what it once grew to
// until it is dropped, however few entries are left.
package lean

import "maps"

// Map is a map that is built anew once three quarters of what it had are gone. The
// zero value is empty and ready to use. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	entries map[K]V // nil where there are none
	peak    int     // the most there were since it was built
}

// least is the size from which a map is built anew: smaller ones are little.
const least = 64

// Get returns the value of a key, zero where it is missing.
func (m *Map[K, V]) Get(key K) V { return m.entries[key] }

// Find returns the value of a key, and whether it is there.
func (m *Map[K, V]) Find(key K) (V, bool) {
	value, ok := m.entries[key]
	return value, ok
}

// Set sets the value of a key.
func (m *Map[K, V]) Set(key K, value V) {
	if m.entries == nil {
		m.entries = make(map[K]V)
	}
	m.entries[key] = value
	m.peak = max(m.peak, len(m.entries))
}

// Delete removes a key, if it is there. It takes constant time on average.
func (m *Map[K, V]) Delete(key K) {
	delete(m.entries, key)
	switch n := len(m.entries); {
	case n == 0:
		*m = Map[K, V]{}
	case m.peak >= least && n <= m.peak/4:
		smaller := make(map[K]V, 2*n)
		maps.Copy(smaller, m.entries)
		m.entries, m.peak = smaller, n
	}
}

// Len returns how many keys there are.
func (m *Map[K, V]) Len() int { return len(m.entries) }

// All yields each key and its value, in no order. The map must not be changed meanwhile:
// Delete may build another one.
func (m *Map[K, V]) All(yield func(K, V) bool) {
	for key, value := range m.entries {
		if !yield(key, value) {
			return
		}
	}
}
