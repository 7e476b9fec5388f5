package disklayer

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/parley-rt/parley"
)

// A message's record: flags, the time by which it grows old, the log's bytes with it;
// then, where the flags say so, the time that people are shown, from and except; then the
// data. Earlier versions knew one time.
const (
	flagBinary = 1 << iota
	flagFrom
	flagExcept
	flagSent

	recordHeader = 1 + 8 + 8
	sentSize     = 8
)

var errRecord = errors.New("disklayer: damaged record")

// mark is a place in a log with what trimming has to know of it.
type mark struct {
	seq   uint64
	time  int64  // when the message came by the layer's clock, Unix time in nanoseconds
	bytes uint64 // of data that the log took up to and with the message
}

func recordSize(e *parley.Envelope, at mark) int {
	n := recordHeader + len(e.Data)
	if e.Time.UnixNano() != at.time {
		n += sentSize
	}
	if !e.From.IsZero() {
		n += addressSize(e.From)
	}
	if e.Except != (parley.ConnID{}) {
		n += len(e.Except)
	}
	return n
}

// putRecord fills b, which has room for exactly the record.
func putRecord(b []byte, e *parley.Envelope, at mark) {
	b = b[:0]
	var flags byte
	if e.Binary {
		flags |= flagBinary
	}
	if !e.From.IsZero() {
		flags |= flagFrom
	}
	if e.Except != (parley.ConnID{}) {
		flags |= flagExcept
	}
	sent := e.Time.UnixNano()
	if sent != at.time {
		flags |= flagSent
	}
	b = append(b, flags)
	b = binary.BigEndian.AppendUint64(b, uint64(at.time))
	b = binary.BigEndian.AppendUint64(b, at.bytes)
	if flags&flagSent != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(sent))
	}
	if flags&flagFrom != 0 {
		b = appendAddress(b, e.From)
	}
	if flags&flagExcept != 0 {
		b = append(b, e.Except[:]...)
	}
	_ = append(b, e.Data...)
}

// markOf returns what a record says of its message's place.
func markOf(seq uint64, record []byte) (mark, error) {
	if len(record) < recordHeader {
		return mark{}, errRecord
	}
	return mark{seq, int64(binary.BigEndian.Uint64(record[1:])), binary.BigEndian.Uint64(record[9:])}, nil
}

// parseRecord returns the envelope in a record, which it does not keep.
func parseRecord(record []byte, to parley.Address, at parley.Cursor) (parley.Envelope, error) {
	place, err := markOf(at.Seq, record)
	if err != nil {
		return parley.Envelope{}, err
	}
	e := parley.Envelope{
		Message: parley.Message{Binary: record[0]&flagBinary != 0, To: to, Time: time.Unix(0, place.time), Cursor: at},
		Prev:    at.Seq - 1,
	}
	rest, ok := record[recordHeader:], true
	if record[0]&flagSent != 0 {
		if len(rest) < sentSize {
			return e, errRecord
		}
		e.Time, rest = time.Unix(0, int64(binary.BigEndian.Uint64(rest))), rest[sentSize:]
	}
	if record[0]&flagFrom != 0 {
		if e.From, rest, ok = cutAddress(rest); !ok {
			return e, errRecord
		}
	}
	if record[0]&flagExcept != 0 {
		if len(rest) < len(e.Except) {
			return e, errRecord
		}
		rest = rest[copy(e.Except[:], rest):]
	}
	e.Data = append(make([]byte, 0, len(rest)), rest...)
	return e, nil
}

// dataSize returns how much data a record holds.
func dataSize(record []byte) (int, error) {
	rest, ok := record[recordHeader:], true
	if record[0]&flagSent != 0 {
		if len(rest) < sentSize {
			return 0, errRecord
		}
		rest = rest[sentSize:]
	}
	if record[0]&flagFrom != 0 {
		_, rest, ok = cutName(rest)
	}
	n := len(rest)
	if record[0]&flagExcept != 0 {
		n -= len(parley.ConnID{})
	}
	if !ok || n < 0 {
		return 0, errRecord
	}
	return n, nil
}

// bookkeeping is what is stored of a log besides its messages.
type bookkeeping struct {
	head  mark   // of the newest message, at the time of writing
	first mark   // of the oldest message kept, but that its bytes are those before it; its time is 0 where it is not known
	base  uint64 // the last place before the log began, or the furthest one of a forgotten cursor
}

// bookkeepingSize is of what is written. Earlier versions wrote no base.
const (
	bookkeepingSize = 7 * 8
	withoutBase     = 6 * 8
)

func (k bookkeeping) append(b []byte) []byte {
	for _, m := range []mark{k.head, k.first} {
		b = binary.BigEndian.AppendUint64(b, m.seq)
		b = binary.BigEndian.AppendUint64(b, uint64(m.time))
		b = binary.BigEndian.AppendUint64(b, m.bytes)
	}
	return binary.BigEndian.AppendUint64(b, k.base)
}

func parseBookkeeping(b []byte) (k bookkeeping, err error) {
	if len(b) != bookkeepingSize && len(b) != withoutBase {
		return k, errRecord
	}
	for i, m := range []*mark{&k.head, &k.first} {
		at := b[24*i:]
		*m = mark{binary.BigEndian.Uint64(at), int64(binary.BigEndian.Uint64(at[8:])), binary.BigEndian.Uint64(at[16:])}
	}
	if k.base = k.first.seq - 1; len(b) == bookkeepingSize {
		k.base = binary.BigEndian.Uint64(b[withoutBase:])
	}
	return k, nil
}
