package disklayer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/internal/fault"
)

// maxKey bounds a dedup key.
const maxKey = 512

// digest is the first half of a SHA-256 sum.
type digest [16]byte

// claim is a dedup key whose first message is not safe yet, or just became it.
type claim struct {
	key  digest
	sum  digest
	seq  uint64 // of the first message, as is sent
	sent int64  // Unix time in nanoseconds, by the wall clock
	err  error  // of the first message; the finisher's
}

// keySum names a key and its address.
func keySum(a parley.Address, key string) digest {
	b := append(appendAddress(make([]byte, 0, maxAddressKey+len(key)), a), key...)
	sum := sha256.Sum256(b)
	return digest(sum[:16])
}

// dataSum tells data from other data.
func dataSum(e *parley.Envelope) digest {
	h := sha256.New()
	kind := byte(0)
	if e.Binary {
		kind = 1
	}
	h.Write([]byte{kind})
	h.Write(e.Data)
	var sum [sha256.Size]byte
	return digest(h.Sum(sum[:0])[:16])
}

var errConflict = &parley.Error{Code: parley.Conflict, Message: "the key was used for other data"}

// dedupKey returns the key under which a claim is stored.
func dedupKey(bucket uint64, key digest) []byte {
	return append(dedupStart(bucket), key[:]...)
}

const dedupSize = 8 + 8 + len(digest{})

func (s *store) bucket(now int64) uint64 { return uint64(now) / uint64(s.cfg.DedupWindow) }

// claimed looks for a message with the item's key; where there is none, the item
// has the key. It runs on the committer.
func (s *store) claimed(it *item, now int64) (repeat bool) {
	key := it.claim.key
	s.claimsMu.Lock()
	first := s.claims[key]
	s.claimsMu.Unlock()
	if first == nil {
		var err error
		if first, err = s.findClaim(key, now); err != nil {
			it.err = unavailable("the key could not be looked up", err)
			return true
		}
	}
	if first == nil || fault.DedupOff() {
		s.claimsMu.Lock()
		s.claims[key] = it.claim
		s.claimsMu.Unlock()
		return false
	}
	it.repeat, it.at.seq, it.sent = true, first.seq, first.sent
	if it.claim = first; first.sum != it.sum {
		it.err = errConflict
	}
	return true
}

// findClaim looks in the store for a key that was used within the window, or in the one
// to come: a crash takes the last second of the clock's progress back.
func (s *store) findClaim(key digest, now int64) (c *claim, err error) {
	bucket := s.bucket(now)
	for _, b := range []uint64{bucket, bucket - 1, bucket + 1} {
		if c, err = s.getClaim(b, key); c != nil || err != nil {
			break
		}
	}
	return c, err
}

func (s *store) getClaim(bucket uint64, key digest) (*claim, error) {
	value, closer, err := s.db.Get(dedupKey(bucket, key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	if len(value) != dedupSize {
		return nil, errRecord
	}
	c := &claim{key: key, seq: binary.BigEndian.Uint64(value), sent: int64(binary.BigEndian.Uint64(value[8:]))}
	copy(c.sum[:], value[16:])
	return c, nil
}

// putClaim stores an item's claim with its message.
func (s *store) putClaim(b *pebble.Batch, it *item, now int64) {
	op := b.SetDeferred(1+8+len(digest{}), dedupSize)
	op.Key[0] = keyDedup
	binary.BigEndian.PutUint64(op.Key[1:], s.bucket(now))
	copy(op.Key[9:], it.claim.key[:])
	binary.BigEndian.PutUint64(op.Value, it.at.seq)
	binary.BigEndian.PutUint64(op.Value[8:], uint64(it.sent))
	copy(op.Value[16:], it.sum[:])
	_ = op.Finish()
}

// settleClaim ends an item's claim, with what became of its message. From then
// on the store tells of it.
func (s *store) settleClaim(it *item) {
	it.claim.err = it.err
	s.claimsMu.Lock()
	defer s.claimsMu.Unlock()
	if s.claims[it.claim.key] == it.claim {
		delete(s.claims, it.claim.key)
	}
}
