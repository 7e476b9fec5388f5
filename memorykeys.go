package parley

import (
	"hash/maphash"
	"time"
)

// memoryKeys remembers which keys were appended, in the order of time.
type memoryKeys struct {
	known       map[memoryKey]*memoryKeyed
	first, last *memoryKeyed
}

// memoryKey is a key of an address.
type memoryKey struct {
	to  Address
	key string
}

// memoryKeyed is what was appended under a key.
type memoryKeyed struct {
	memoryKey
	sum  uint64 // of what was sent
	seq  uint64
	time int64 // Unix nanoseconds
	next *memoryKeyed
}

const (
	memoryKeyWindow = 24 * time.Hour
	maxMemoryKeys   = 1 << 18 / memoryShards // of a shard
	maxKeyBytes     = 512
	keyCost         = 192
)

func (k *memoryKeyed) cost() int64 { return int64(len(k.key)) + keyCost }

// add remembers a key, and forgets the oldest where there are too many. It
// returns what those cost.
func (k *memoryKeys) add(keyed *memoryKeyed) (freed int64) {
	if k.known == nil {
		k.known = make(map[memoryKey]*memoryKeyed)
	}
	if k.last != nil {
		k.last.next = keyed
	} else {
		k.first = keyed
	}
	k.last = keyed
	k.known[keyed.memoryKey] = keyed
	if len(k.known) > maxMemoryKeys {
		return k.drop()
	}
	return 0
}

// expire forgets the keys that are older than the window, and returns what they
// cost.
func (k *memoryKeys) expire(now int64) (freed int64) {
	for k.first != nil && now-k.first.time > int64(memoryKeyWindow) {
		freed += k.drop()
	}
	return freed
}

// drop forgets the oldest key.
func (k *memoryKeys) drop() (freed int64) {
	oldest := k.first
	delete(k.known, oldest.memoryKey)
	k.first = oldest.next
	if k.first == nil {
		*k = memoryKeys{} // maps don't shrink
	}
	return oldest.cost()
}

// sum returns what tells apart the messages of one key.
func (l *MemoryLayer) sum(e *Envelope) uint64 {
	var h maphash.Hash
	h.SetSeed(l.seed)
	_, _ = h.Write(e.Data)
	if e.Binary {
		_ = h.WriteByte(1)
	}
	return h.Sum64()
}
