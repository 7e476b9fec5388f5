package parley

import "time"

// What a log and a message cost of MaxBytes, besides names and data.
const (
	logCost     = 256
	messageCost = 96
)

// memoryLog is the kept messages of one address.
type memoryLog struct {
	address   Address
	retention Retention // the last append's
	head      uint64    // the Seq of the newest message that there was
	base      uint64    // the last place before the log began, or the furthest one of a forgotten cursor
	newest    int64     // when the message at head came, by unixNano
	bytes     int64     // of data
	ring      []memoryMessage
	start     uint32 // of the oldest message in ring, whose length is a power of two
	count     uint32
	cursors   memoryCursors
}

// memoryMessage is a message in a log.
type memoryMessage struct {
	data   []byte
	from   Address
	time   int64 // when it came, by unixNano
	sent   int64 // by the wall clock, Unix nanoseconds
	except ConnID
	binary bool
}

func (m *memoryMessage) cost() int64 {
	return int64(len(m.data)+len(m.from.name)) + messageCost
}

func (l *memoryLog) cost() int64 { return int64(len(l.address.name)) + logCost }

// first returns the Seq of the oldest message, or of the next one.
func (l *memoryLog) first() uint64 { return l.head - uint64(l.count) + 1 }

// at returns a message, counted from the oldest.
func (l *memoryLog) at(i uint32) *memoryMessage {
	return &l.ring[(l.start+i)&uint32(len(l.ring)-1)]
}

// excess is what is to go of a log when one more message follows.
type excess struct {
	messages uint32 // the oldest so many
	cost     int64  // what they cost
	refuses  bool   // there is no room: the log is an inbox, and claims need the rest
}

// excess returns what is to go when one more message of a size follows. Claims need
// what is behind the place that acknowledged returns, which is asked for if there is
// anything to trim but for its age.
func (l *memoryLog) excess(size int, now int64, acknowledged func(upTo uint64) uint64) (x excess) {
	bytes, asked, free := l.bytes+int64(size), false, uint64(0)
	for ; x.messages < l.count; x.messages++ {
		m, left := l.at(x.messages), int(l.count-x.messages)
		over := bytes > l.retention.Bytes || left >= l.retention.MostMessages()
		if !over && left < l.retention.Messages && !l.old(m.time, now) {
			break
		}
		if !asked && !l.old(m.time, now) {
			asked, free = true, acknowledged(l.head)
		}
		if isClaimed := l.first()+uint64(x.messages) > free && !l.old(m.time, now); isClaimed && (!over || l.address.IsInbox()) {
			x.refuses = over
			break
		}
		bytes -= int64(len(m.data))
		x.cost += m.cost()
	}
	return x
}

// old reports whether something is too old to be kept.
func (l *memoryLog) old(then, now int64) bool { return now-then > int64(l.retention.Age) }

// expire drops what is too old, and returns what that cost.
func (l *memoryLog) expire(now int64) (cost int64) {
	var n uint32
	for ; n < l.count && l.old(l.at(n).time, now); n++ {
		cost += l.at(n).cost()
	}
	l.drop(n)
	freed, furthest := l.cursors.expire(now - int64(l.retention.CursorAge()))
	l.base = max(l.base, furthest)
	return cost + freed
}

// drop takes the oldest n messages out.
func (l *memoryLog) drop(n uint32) {
	for i := range n {
		m := l.at(i)
		l.bytes -= int64(len(m.data))
		*m = memoryMessage{}
	}
	l.start += n
	l.count -= n
	if len(l.ring) > 4 && int(l.count) <= len(l.ring)/4 {
		l.resize(len(l.ring) / 2)
	}
}

// push adds a message. Its time is not before that of the one before it.
func (l *memoryLog) push(m memoryMessage) *memoryMessage {
	if l.count > 0 {
		m.time = max(m.time, l.at(l.count-1).time)
	}
	if int(l.count) == len(l.ring) {
		l.resize(max(1, 2*len(l.ring)))
	}
	l.head++
	l.count++
	l.bytes += int64(len(m.data))
	l.newest = m.time
	last := l.at(l.count - 1)
	*last = m
	return last
}

func (l *memoryLog) resize(size int) {
	ring := make([]memoryMessage, size)
	for i := range l.count {
		ring[i] = *l.at(i)
	}
	l.ring, l.start = ring, 0
}

func (l *memoryLog) empty() bool { return l.count == 0 && len(l.cursors) == 0 }

// owes reports whether a user's next device must be told of messages that were too old.
// The log remembers them for as long as it would remember a cursor.
func (l *memoryLog) owes(now int64) bool {
	return l.address.IsInbox() && l.base < l.head && now-l.newest <= int64(l.retention.CursorAge())
}

// envelope returns the message of a Seq that the log has.
func (l *memoryLog) envelope(epoch, seq uint64) Envelope {
	m := l.at(uint32(seq - l.first()))
	return Envelope{
		Message: Message{
			Binary: m.binary, Data: m.data, To: l.address, From: m.from,
			Time: time.Unix(0, m.sent), Cursor: Cursor{epoch, seq},
		},
		Except: m.except,
		Prev:   seq - 1,
	}
}
