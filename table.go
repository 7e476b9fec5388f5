package parley

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/parley-rt/parley/internal/socket"
)

// table knows, for each address, who here wants its messages.
type table struct {
	engine *socket.Engine
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu      sync.RWMutex // guards entries, and refs of its topics
	entries map[Address]*entry
}

// entry is replaced, never changed, so that senders may use it without a lock.
type entry struct {
	topics    []*topic // one for each kind of consumer that joined
	listeners []*listener
}

// topic is the members of an address whose messages are encoded alike.
type topic struct {
	to      Address
	proto   *proto
	members *socket.Topic
	refs    int
}

func newTable(e *socket.Engine) *table {
	t := &table{engine: e, seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].entries = make(map[Address]*entry)
	}
	return t
}

func (t *table) shard(of Address) *shard {
	return &t.shards[maphash.Comparable(t.seed, of)%uint64(len(t.shards))]
}

// lookup returns the entry of an address, nil when nobody wants it.
func (t *table) lookup(of Address) *entry {
	s := t.shard(of)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.entries[of]
}

// change replaces the entry of an address.
func (t *table) change(of Address, f func(e *entry)) {
	s := t.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	var next entry
	if old := s.entries[of]; old != nil {
		next = *old
	}
	f(&next)
	if len(next.topics)+len(next.listeners) == 0 {
		delete(s.entries, of)
	} else {
		s.entries[of] = &next
	}
}

// hold returns the topic of an address for one kind of consumer, and keeps it
// in the table until a release.
func (t *table) hold(of Address, p *proto) (held *topic) {
	t.change(of, func(e *entry) {
		i := slices.IndexFunc(e.topics, func(found *topic) bool { return found.proto == p })
		if i >= 0 {
			held = e.topics[i]
		} else {
			held = &topic{to: of, proto: p, members: t.engine.NewTopic()}
			e.topics = append(slices.Clip(e.topics), held)
		}
		held.refs++
	})
	return held
}

func (t *table) release(held *topic) {
	s := t.shard(held.to)
	s.mu.Lock()
	held.refs--
	last := held.refs == 0
	s.mu.Unlock()
	if !last {
		return
	}
	t.change(held.to, func(e *entry) {
		if held.refs == 0 {
			e.topics = without(e.topics, held)
		}
	})
}

// without returns list, which is not changed, without v.
func without[T comparable](list []T, v T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return x == v })
}
