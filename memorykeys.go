package parley

import (
	"hash/maphash"
	"time"

	"github.com/parley-rt/parley/internal/lean"
)

// memoryKeys remembers which keys were appended, in the order of time.
type memoryKeys struct {
	known       lean.Map[memoryKey, *memoryKeyed]
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
	time int64 // of the message, by unixNano
	sent int64 // by the wall clock, Unix nanoseconds
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
	if k.last != nil {
		k.last.next = keyed
	} else {
		k.first = keyed
	}
	k.last = keyed
	k.known.Set(keyed.memoryKey, keyed)
	if k.known.Len() > maxMemoryKeys {
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
	k.known.Delete(oldest.memoryKey)
	if k.first = oldest.next; k.first == nil {
		k.last = nil
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
