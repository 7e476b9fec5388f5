package disklayer

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The store's own values.
const (
	metaEpoch   = "epoch"
	metaOrigins = "origins"
	metaFloor   = "floor"
	metaRun     = "run"
	metaClock   = "clock"
)

// maxOrigins bounds how many copies of copies remember where they come from.
const maxOrigins = 64

// run says how the store was last used.
type run struct {
	Durability string `json:"durability"`
	Boot       string `json:"boot"`   // the machine's start
	Closed     bool   `json:"closed"` // and not killed
}

// lossy reports whether messages that were accepted in a run may be gone now.
func (r run) lossy(boot string) bool {
	return r.Durability == Process.String() && !r.Closed && (boot == "" || r.Boot != boot)
}

// begin reads the store's values, and writes those of this run, with a new epoch
// where places of the old one could name other messages by now.
func (s *store) begin(how opening) error {
	var err error
	if s.epoch, err = s.number(metaEpoch); err != nil {
		return err
	}
	if s.origins, err = s.numbers(metaOrigins); err != nil {
		return err
	}
	floor, err := s.number(metaFloor)
	if err != nil {
		return err
	}
	if how.floor != nil {
		floor = min(floor, *how.floor)
	}
	s.floor.Store(floor)
	last, err := s.lastRun()
	if err != nil {
		return err
	}
	if err := s.resumeClock(); err != nil {
		return err
	}
	b := s.db.NewBatch()                                        // not written where the store is for reading alone
	lossy := !how.again && !how.fresh && last.lossy(s.cfg.boot) // a copy was synced whole
	if how.fresh || s.epoch == 0 || lossy {
		switch {
		case lossy: // cursors may be beyond what is left
			s.origins = nil
			_ = b.Delete(metaKey(metaOrigins), nil)
		case s.epoch != 0:
			s.origins = append(s.origins, s.epoch)
			s.origins = s.origins[max(0, len(s.origins)-maxOrigins):]
			s.setNumbers(b, metaOrigins, s.origins...)
		}
		s.epoch = cmp.Or(how.epoch, newEpoch())
		s.setNumbers(b, metaEpoch, s.epoch)
	}
	if s.unwritable != nil {
		return nil
	}
	return s.putRun(b, false)
}

// end writes that the store was closed, and what the keeper did not.
func (s *store) end() error {
	if s.fs.err() != nil || s.unwritable != nil {
		return nil
	}
	s.cursors.flushing.Lock() // an introduction may be about to end
	defer s.cursors.flushing.Unlock()
	b := s.db.NewBatch()
	change, failed := s.cursorChanges()
	if change != nil {
		change(b)
	}
	return errors.Join(failed, s.putRun(b, true))
}

func (s *store) putRun(b *pebble.Batch, closed bool) error {
	value, err := json.Marshal(run{s.cfg.Durability.String(), s.cfg.boot, closed})
	if err != nil {
		return err
	}
	_ = b.Set(metaKey(metaRun), value, nil)
	s.putClock(b)
	err = s.db.Apply(b, pebble.Sync)
	if failed := s.fs.err(); failed != nil {
		return failed
	}
	return err
}

func (s *store) lastRun() (r run, err error) {
	value, err := s.value(metaRun)
	if err == nil && value != nil {
		if err = json.Unmarshal(value, &r); err != nil {
			err = fmt.Errorf("%w: %w", errRecord, err)
		}
	}
	return r, err
}

// number returns one of the store's values, 0 where it has none.
func (s *store) number(name string) (uint64, error) {
	n, err := s.numbers(name)
	switch {
	case err != nil || len(n) == 0:
		return 0, err
	case len(n) > 1:
		return 0, errRecord
	}
	return n[0], nil
}

// numbers returns one of the store's values that is a list.
func (s *store) numbers(name string) (n []uint64, err error) {
	value, err := s.value(name)
	if len(value)%8 != 0 {
		return nil, errRecord
	}
	for ; len(value) > 0; value = value[8:] {
		n = append(n, binary.BigEndian.Uint64(value))
	}
	return n, err
}

func (*store) setNumbers(b *pebble.Batch, name string, numbers ...uint64) {
	var value []byte
	for _, n := range numbers {
		value = binary.BigEndian.AppendUint64(value, n)
	}
	_ = b.Set(metaKey(name), value, nil)
}

func (s *store) value(name string) ([]byte, error) {
	value, closer, err := s.db.Get(metaKey(name))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte{}, value...), nil
}

func newEpoch() uint64 {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // does not fail
		if epoch := binary.BigEndian.Uint64(b[:]); epoch != 0 {
			return epoch
		}
	}
}
