package disklayer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/parley-rt/parley"
)

// modelLog is what is known of one log.
type modelLog struct {
	messages map[uint64]modelMessage // those that were accepted or read
	maybe    map[string]modelMessage // those that may be kept, by their texts, each with what was told before as its place
	keys     map[string]modelMessage
	devices  map[string]modelDevice
	told     uint64 // the furthest place that was told
	safe     uint64 // the furthest place of a message
	known    bool   // there was a device
	life     int    // of its keys: whether one was used is not known of those of lives before
	dropped  bool   // it may have been, as nobody used it for long
}

type modelMessage struct {
	seq  uint64
	text string
	time int64 // by the store's clock
	sent int64 // as people are shown
}

// modelDevice is a named cursor. What is safe of it survives a power cut.
type modelDevice struct {
	at, safeAt       uint64
	moved, safeMoved int64 // 0 where it is not
}

func newModelLog() *modelLog {
	return &modelLog{
		messages: map[uint64]modelMessage{}, maybe: map[string]modelMessage{},
		keys: map[string]modelMessage{}, devices: map[string]modelDevice{},
	}
}

// tell notes a place that the store told: none comes back, and none is given to a
// message later.
func (m *model) tell(a parley.Address, at parley.Cursor, by string) {
	log := m.logs[a]
	if at.Epoch != m.epoch {
		m.isWrong("%s of %v is of epoch %d, not %d", by, a, at.Epoch, m.epoch)
	}
	if at.Seq < log.told {
		m.isWrong("%s of %v tells %d, and %d was told before", by, a, at.Seq, log.told)
	}
	log.told = max(log.told, at.Seq)
}

// peek reads while a sync is under way: what it finds is told.
func (m *model) peek() {
	if !m.moment.syncs {
		return
	}
	for _, a := range m.users {
		head, err := m.link.Head(context.Background(), a)
		if err != nil {
			m.isWrong("the head of %v: %v", a, err)
		}
		m.tell(a, head, "Head")
		m.checkLog(m.link, a)
	}
}

// append1 is a message on its way.
type append1 struct {
	e      parley.Envelope
	before uint64 // the furthest place that was told before
	time   int64  // by the store's clock
	done   bool
	sent   parley.Sent
	err    error
}

// appends appends some messages at once.
func (m *model) appends(a parley.Address, log *modelLog) {
	n := 1
	if m.random.IntN(4) == 0 {
		n = 1 + m.random.IntN(90)
	}
	all, now := make([]append1, n), m.now()
	for _, e := range log.messages {
		now = max(now, e.time)
	}
	for i := range all {
		m.serial++
		text := fmt.Sprintf("%d %s", m.serial, strings.Repeat("x", m.random.IntN(300)))
		e := parley.Envelope{Message: parley.Message{To: a, Data: []byte(text)}}
		if m.random.IntN(8) == 0 {
			e.Key = fmt.Sprint(log.life, "/", m.random.IntN(10))
			if first := log.keys[e.Key]; m.random.IntN(2) == 0 && m.latest-first.time < int64(minDedupWindow) {
				e.Data = []byte(first.text)
			}
		}
		all[i] = append1{e: e, before: log.told, time: now}
	}
	m.say("append %d to %v", n, a)
	var mu sync.Mutex // guards what done writes to all
	settle := func() {
		mu.Lock()
		defer mu.Unlock()
		for i := range all {
			m.appended(a, log, &all[i])
		}
	}
	done := m.do(func() {
		var waits sync.WaitGroup
		for i := range all {
			waits.Add(1)
			err := m.link.Append(context.Background(), all[i].e, func(sent parley.Sent, err error) {
				defer waits.Done()
				mu.Lock()
				defer mu.Unlock()
				all[i].done, all[i].sent, all[i].err = true, sent, err
			})
			if err != nil {
				waits.Done()
				mu.Lock()
				all[i].done, all[i].err = true, err
				mu.Unlock()
			}
		}
		waits.Wait()
	}, settle, m.peek)
	if done {
		settle()
	}
}

// appended notes what became of a message.
func (m *model) appended(a parley.Address, log *modelLog, it *append1) {
	text := string(it.e.Data)
	first, repeats := log.keys[it.e.Key]
	switch {
	case !it.done:
		if it.e.Key != "" {
			log.life++
		}
		if !repeats || first.text != text {
			log.maybe[text] = modelMessage{it.before, text, it.time, 0}
		}
	case it.err != nil:
		code := parley.Code("")
		if e, ok := errors.AsType[*parley.Error](it.err); ok {
			code = e.Code
		}
		if code != parley.Conflict || !repeats || first.text == text {
			m.isWrong("appending %.20q to %v: %v", text, a, it.err)
		}
	case repeats && it.sent.Cursor.Seq == first.seq:
		if first.text != text {
			m.isWrong("%.20q to %v repeats %.20q", text, a, first.text)
		}
	case it.e.Key != "" && repeats && m.latest-first.time < int64(minDedupWindow):
		m.isWrong("the key of %.20q to %v was used at %d, and again at %d", text, a, first.seq, it.sent.Cursor.Seq)
	default:
		seq := it.sent.Cursor.Seq
		if seq <= it.before || seq <= log.safe {
			m.isWrong("%.20q to %v has the place %d, and %d was told before", text, a, seq, max(it.before, log.safe))
		}
		kept := modelMessage{seq, text, it.time, it.sent.Time.UnixNano()}
		log.messages[seq] = kept
		log.safe = max(log.safe, seq)
		if it.e.Key != "" {
			log.keys[it.e.Key] = kept
		}
		m.tell(a, it.sent.Cursor, "Append")
	}
}

// read reads from a random place, in one direction.
func (m *model) read(a parley.Address, log *modelLog) {
	m.checkLog(m.link, a)
	at := parley.Cursor{Epoch: m.epoch, Seq: m.random.Uint64N(log.told + 2)}
	m.readAfter(a, log, at)
	page, err := m.link.ReadBefore(context.Background(), a, at, m.limit())
	if err != nil {
		m.isWrong("before %d of %v: %v", at.Seq, a, err)
	}
	for _, e := range page.Messages {
		if m.checkMessage(a, &e); !page.Missed && e.Cursor.Seq >= at.Seq {
			m.isWrong("before %d of %v comes %d", at.Seq, a, e.Cursor.Seq)
		}
	}
}

func (m *model) limit() parley.PageLimit {
	return parley.PageLimit{Messages: 1 + m.random.IntN(20), Bytes: 1 + m.random.IntN(4000)}
}

// readAfter reads a page behind a place: what is gone there is missed, and counted.
func (m *model) readAfter(a parley.Address, log *modelLog, at parley.Cursor) {
	page, err := m.link.ReadAfter(context.Background(), a, at, m.limit())
	if err != nil {
		m.isWrong("behind %d of %v: %v", at.Seq, a, err)
		return
	}
	from := page.Cursor.Seq + 1
	if len(page.Messages) > 0 {
		from = page.Messages[0].Cursor.Seq
	}
	gone := int64(0)
	for seq := range log.messages {
		if seq > at.Seq && seq < from {
			gone++
		}
	}
	if gone > 0 && (!page.Missed || page.Lost < gone) {
		m.isWrong("behind %d of %v, %d messages are gone: Missed is %v, and %d are lost", at.Seq, a, gone, page.Missed, page.Lost)
	}
}

// checkMessage holds a message that was read to what is known, and notes it.
func (m *model) checkMessage(a parley.Address, e *parley.Envelope) {
	log, seq, text := m.logs[a], e.Cursor.Seq, string(e.Data)
	defer func() {
		if kept, ok := log.messages[seq]; ok && kept.time < m.before(m.hub.keep.Age) {
			m.isWrong("%d of %v is too old", seq, a)
		}
	}()
	kept, ok := log.messages[seq]
	if ok {
		if kept.text != text || kept.sent != e.Time.UnixNano() {
			m.isWrong("%d of %v is %.20q of %v, and was %.20q of %v", seq, a, text, e.Time.UnixNano(), kept.text, kept.sent)
		}
		return
	}
	maybe, ok := log.maybe[text]
	if !ok {
		m.isWrong("%d of %v is %.20q, which is not known", seq, a, text)
	} else if seq <= maybe.seq {
		m.isWrong("%.20q to %v has the place %d, and %d was told before", text, a, seq, maybe.seq)
	}
	delete(log.maybe, text)
	log.messages[seq] = modelMessage{seq, text, maybe.time, e.Time.UnixNano()}
	log.safe = max(log.safe, seq)
}

// checkLog reads a whole log, and returns its last page.
func (m *model) checkLog(link parley.Link, a parley.Address) (page parley.Page) {
	log := m.logs[a]
	there := map[uint64]bool{}
	last, bytes := uint64(0), int64(0)
	var lost int64
	for at, more := (parley.Cursor{}), true; more; at, more = page.Cursor, page.More {
		var err error
		if page, err = link.ReadAfter(context.Background(), a, at, m.limit()); err != nil {
			m.isWrong("reading %v: %v", a, err)
			return page
		}
		if page.Missed {
			m.isWrong("%v cannot be read behind %d", a, at.Seq)
		}
		if at.IsZero() {
			lost = page.Lost
		}
		for _, e := range page.Messages {
			seq := e.Cursor.Seq
			if e.Prev != seq-1 || last != 0 && seq != last+1 {
				m.isWrong("behind %d of %v comes %d", last, a, seq)
			}
			last, there[seq] = seq, true
			bytes += int64(len(e.Data))
			m.checkMessage(a, &e)
		}
	}
	if len(there) > m.hub.keep.Messages || bytes > m.hub.keep.Bytes {
		m.isWrong("%v has %d messages, of %d bytes", a, len(there), bytes)
	}
	m.checkOrder(a, there)
	m.checkKept(a, log, page.Cursor.Seq, there)
	m.checkLost(a, log, there, lost)
	return page
}

// checkOrder holds messages to the order in which they were appended.
func (m *model) checkOrder(a parley.Address, there map[uint64]bool) {
	last := 0
	for _, seq := range slices.Sorted(maps.Keys(there)) {
		var serial int
		text := m.logs[a].messages[seq].text
		if _, _ = fmt.Sscan(text, &serial); serial <= last {
			m.isWrong("%d of %v is %.20q, behind number %d", seq, a, text, last)
		}
		last = serial
	}
}

// checkKept looks for messages that are gone, though they are within the retention.
func (m *model) checkKept(a parley.Address, log *modelLog, head uint64, there map[uint64]bool) {
	if head < log.safe {
		m.isWrong("%v ends at %d, and has a message at %d", a, head, log.safe)
	}
	bytes := int64(0)
	for seq := head; seq > 0; seq-- {
		e, ok := log.messages[seq]
		if bytes += int64(len(e.text)); !ok || head-seq >= uint64(m.hub.keep.Messages) || bytes > m.hub.keep.Bytes || e.time < m.furthest(m.hub.keep.Age) {
			return
		}
		if !there[seq] {
			m.isWrong("%d of %v, which ends at %d, is lost", seq, a, head)
		}
	}
}

// checkLost holds to what is gone the number that a new device is told. The store
// remembers them for as long as a cursor.
func (m *model) checkLost(a parley.Address, log *modelLog, there map[uint64]bool, lost int64) {
	newest, gone := int64(0), int64(0)
	for seq, e := range log.messages {
		newest = max(newest, e.time)
		if !there[seq] {
			gone++
		}
	}
	if log.known || log.dropped || newest < m.furthest(m.hub.keep.CursorAge()) {
		log.dropped = true
		return
	}
	if lost < gone {
		m.isWrong("%d messages of %v are gone, and %d are told", gone, a, lost)
	}
}

var modelNames = []string{"", "phone", "tablet"}

// advance moves a device's cursor.
func (m *model) advance(a parley.Address, log *modelLog) {
	name := modelNames[m.random.IntN(len(modelNames))]
	to := parley.Cursor{Epoch: m.epoch, Seq: log.told - min(log.told, m.random.Uint64N(5))}
	before := m.checkDevices(a, false)
	m.say("advance %q of %v to %d", name, a, to.Seq)
	m.link.Advance(a, name, to)
	d := log.devices[name]
	d.at, d.moved = max(before[name].Seq, to.Seq), m.now()
	log.devices[name], log.known = d, true
	m.checkDevices(a, false)
}

// introduce introduces a device, and finds it.
func (m *model) introduce(a parley.Address, log *modelLog) {
	name := modelNames[m.random.IntN(len(modelNames))]
	at := parley.Cursor{Epoch: m.epoch, Seq: log.told - min(log.told, m.random.Uint64N(5))}
	before := m.checkDevices(a, false)
	m.say("introduce %q of %v at %d; it is %v", name, a, at.Seq, before[name])
	var err error
	done := m.do(func() { err = m.link.Introduce(context.Background(), a, name, at) }, m.peek)
	log.known = true
	if known, ok := before[name]; ok {
		at = known
	}
	if !done {
		if found := m.checkDevices(a, false); before[name].IsZero() && !found[name].IsZero() {
			log.devices[name] = modelDevice{found[name].Seq, found[name].Seq, m.now(), 0}
		}
		return
	}
	if err != nil {
		m.isWrong("introducing %q of %v: %v", name, a, err)
	}
	found, err := m.link.Cursors(context.Background(), a)
	if got, ok := found[name]; err != nil || !ok || got != at {
		m.isWrong("introduced %q of %v at %d, and it is at %v, %v", name, a, at.Seq, got, err)
	}
	d, ok := log.devices[name], false
	if _, ok = before[name]; !ok {
		d.moved = m.now()
	}
	log.devices[name] = modelDevice{at.Seq, at.Seq, d.moved, d.moved}
}

// flushed notes that all moves are safe.
func (m *model) flushed() {
	for _, log := range m.logs {
		for name, d := range log.devices {
			log.devices[name] = modelDevice{d.at, d.at, d.moved, d.moved}
		}
	}
}

// checkDevices holds an address's cursors to what is known of them, and returns them.
// Behind a power cut moves that were not safe may be lost.
func (m *model) checkDevices(a parley.Address, cut bool) map[string]parley.Cursor {
	log := m.logs[a]
	found, err := m.link.Cursors(context.Background(), a)
	if err != nil {
		m.isWrong("the cursors of %v: %v", a, err)
		return nil
	}
	m.say("cursors of %v: %v; known %v", a, found, log.devices)
	for name, d := range log.devices {
		least, moved := d.at, d.moved
		if cut {
			least, moved = d.safeAt, d.safeMoved
		}
		at, ok := found[name]
		switch {
		case !ok && moved >= m.furthest(m.hub.keep.CursorAge()):
			m.isWrong("%q of %v is forgotten; it was at %d", name, a, least)
		case !ok:
			delete(log.devices, name)
		case at.Epoch != m.epoch || at.Seq < least || at.Seq > d.at:
			m.isWrong("%q of %v is at %d, and was at %d to %d", name, a, at.Seq, least, d.at)
		case cut:
			log.devices[name] = modelDevice{at.Seq, d.safeAt, min(d.moved, d.safeMoved), min(d.moved, d.safeMoved)}
		}
	}
	return found
}

// checkSwept looks for what is too old among what is on the disk.
func (m *model) checkSwept() {
	keys, values, err := m.store.keys([]byte{keyMessage}, []byte{keyMessage + 1}, 1<<20)
	if err != nil {
		m.isWrong("%v", err)
	}
	for i, key := range keys {
		at, err := markOf(seqOf(key), values[i])
		if err != nil || at.time < m.before(m.hub.keep.Age) {
			m.isWrong("%q is too old, and on the disk behind a sweep, %v", key, err)
			return
		}
	}
}

// expireAll has all become too old: nothing is left on the disk.
func (m *model) expireAll() {
	m.pass(100 * m.hub.keep.Age)
	m.flush()
	for range 3 {
		m.sweep()
	}
	for _, kind := range []byte{keyLog, keyCursor, keyDedup, keyMessage} {
		keys, _, err := m.store.keys([]byte{kind}, []byte{kind + 1}, 10)
		if err != nil || len(keys) > 0 {
			m.isWrong("long after, %q are on the disk, %v", keys, err)
		}
	}
}
