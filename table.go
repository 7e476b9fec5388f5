package parley

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/parley-rt/parley/internal/lean"
	"github.com/parley-rt/parley/internal/socket"
)

// table knows, for each address, who here wants its messages.
type table struct {
	seed   maphash.Seed
	shards [64]shard
}

type shard struct {
	mu        sync.RWMutex // guards the maps, and the topics' refs and next
	topics    lean.Map[Address, *topic]
	listeners lean.Map[Address, []*listener] // a list is replaced, never changed

	claims sync.Mutex               // guards the topics' lists of followers, their claims and devices, and what follows; locked after mu
	looks  lean.Map[*topic, looked] // of topics with many claims
	owing  map[deviceID]owing       // of devices with a debt that are not connected; nil for none
}

// topic is the members of an address whose messages are encoded alike. It is in
// the table while it has any.
type topic struct {
	socket.Topic
	name  string
	proto *proto
	next  *topic // of the same address
	refs  int32
	kind  addressKind
}

func (t *topic) address() Address { return Address{t.kind, t.name} }

func newTable() *table {
	return &table{seed: maphash.MakeSeed()}
}

func (t *table) shard(of Address) *shard {
	return &t.shards[maphash.Comparable(t.seed, of)%uint64(len(t.shards))]
}

// lookup returns who wants the messages of an address; the topics are appended
// to a list of the caller's.
func (t *table) lookup(of Address, topics []*topic) ([]*topic, []*listener) {
	s := t.shard(of)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for at := s.topics.Get(of); at != nil; at = at.next {
		topics = append(topics, at)
	}
	return topics, s.listeners.Get(of)
}

// all returns every topic and every listener that there is when its shard is
// looked at.
func (t *table) all() (topics []*topic, listeners []*listener) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, at := range s.topics.All {
			for ; at != nil; at = at.next {
				topics = append(topics, at)
			}
		}
		for _, some := range s.listeners.All {
			listeners = append(listeners, some...)
		}
		s.mu.RUnlock()
	}
	return topics, listeners
}

// joined reports whether an address has members.
func (t *table) joined(of Address) bool {
	s := t.shard(of)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.topics.Get(of) != nil
}

// hold returns the topic of an address for one kind of consumer, and keeps it
// in the table until a release.
func (t *table) hold(of Address, p *proto) *topic {
	s := t.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.topics.Get(of)
	at := first
	for at != nil && at.proto != p {
		at = at.next
	}
	if at == nil {
		at = &topic{kind: of.kind, name: of.name, proto: p, next: first}
		s.topics.Set(of, at)
	}
	at.refs++
	return at
}

func (t *table) release(held *topic) {
	of := held.address()
	s := t.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	if held.refs--; held.refs > 0 {
		return
	}
	s.forgetLook(held)
	if s.topics.Get(of) != held {
		at := s.topics.Get(of)
		for at.next != held {
			at = at.next
		}
		at.next = held.next
	} else if held.next != nil {
		s.topics.Set(of, held.next)
	} else {
		s.topics.Delete(of)
	}
}

// listen has l told of an address' messages until the function is called.
func (t *table) listen(of Address, l *listener) (stop func()) {
	s := t.shard(of)
	change := func(f func([]*listener) []*listener) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if list := f(slices.Clone(s.listeners.Get(of))); len(list) > 0 {
			s.listeners.Set(of, list)
		} else {
			s.listeners.Delete(of)
		}
	}
	change(func(list []*listener) []*listener { return append(list, l) })
	return func() {
		change(func(list []*listener) []*listener {
			return slices.DeleteFunc(list, func(found *listener) bool { return found == l })
		})
	}
}
