package parley_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parley-rt/parley"
)

// soakReceiver is a device of a user's, over one connection after the other. It
// gets the inbox by what it acknowledges, and the group behind what came last.
type soakReceiver struct {
	*soaking
	number       int
	user, device string
	rng          *rand.Rand
	events       []soakEvent
	last         int                     // of the group's messages
	ends         map[parley.Address]bool // what has the last message
	opened       int                     // connections
	ended        error
	once         sync.Once // it is ready

	mu     sync.Mutex    // guards what follows
	began  parley.Cursor // of the group, at its first join
	missed int           // how often it was told that it missed something
}

// soakEvent is a message that came, or, without an ID, a new connection.
type soakEvent struct{ id int }

func (s *soaking) newReceivers() {
	for user := range s.users {
		for device := range s.devices {
			i := len(s.receivers)
			s.receivers = append(s.receivers, &soakReceiver{
				soaking: s, number: i, user: "u" + strconv.Itoa(user), device: s.soakConfig.device(device), rng: soakRandom(s.seed, 1<<35+uint64(i)),
				ends: map[parley.Address]bool{},
			})
			s.ready.Add(1)
		}
	}
}

func (v *soakReceiver) begin(at parley.Cursor) {
	v.mu.Lock()
	if v.began.IsZero() {
		v.began = at
	}
	v.mu.Unlock()
	v.once.Do(v.ready.Done)
}

func (v *soakReceiver) told(missed bool) {
	if missed {
		v.mu.Lock()
		v.missed++
		v.mu.Unlock()
	}
}

// after returns the place of the group's last message that came.
func (v *soakReceiver) after() string {
	if v.last > 0 {
		return v.log.place(v.last).String()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.began.String()
}

func (v *soakReceiver) done() bool { return len(v.ends) == 2 }

// receive returns once the last messages came, or ctx ends.
func (v *soakReceiver) receive(ctx context.Context) {
	defer v.once.Do(v.ready.Done)
	for ctx.Err() == nil && !v.done() {
		w := &wire{t: v.t, deflates: false}
		site := v.sites[v.rng.IntN(len(v.sites))]
		v.ended = w.dial(site, map[string]string{"X-Receiver": strconv.Itoa(v.number), "X-After": v.after()}, v.narrow)
		v.opened++
		if v.ended != nil {
			v.t.Errorf("%v: %v", v, v.ended)
			return
		}
		v.events = append(v.events, soakEvent{})
		stop := context.AfterFunc(ctx, func() { _ = w.nc.Close() })
		v.ended = v.session(ctx, w)
		stop()
		_ = w.nc.Close()
		if errors.Is(v.ended, os.ErrDeadlineExceeded) {
			return // all there is was there
		}
		v.rest(ctx, 20*time.Millisecond)
	}
}

func (v *soakReceiver) rest(ctx context.Context, longest time.Duration) {
	if longest > 0 {
		soakRest(ctx, time.Duration(v.rng.Int64N(int64(longest))), v.ending)
	}
}

var errSoakLeft = errors.New("it left")

// session receives on one connection, until it ends or all has come.
func (v *soakReceiver) session(ctx context.Context, w *wire) error {
	for !v.done() {
		op, payload, err := w.read()
		if err != nil {
			return err
		}
		switch op {
		case opText:
			if err := v.take(string(payload)); err != nil {
				return err
			}
		case opPing:
			if v.rng.IntN(10) == 0 && !v.isEnding() {
				continue
			}
			if _, err := w.nc.Write([]byte(frame(fin|opPong, string(payload)))); err != nil {
				return err
			}
		case opClose:
			_, _ = w.nc.Write([]byte(frame(fin|opClose, string(payload))))
			return errors.New(inWords(op, payload))
		}
		if v.isEnding() {
			continue
		}
		switch v.rng.IntN(60) {
		case 0, 1, 2, 3:
			v.rest(ctx, v.stall)
		case 4: // what comes meanwhile it never reads
			v.rest(ctx, v.stall)
			return errSoakLeft
		case 5:
			if _, err := w.nc.Write([]byte(closing(1000, ""))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *soakReceiver) isEnding() bool {
	select {
	case <-v.ending:
		return true
	default:
		return false
	}
}

// take notes a message.
func (v *soakReceiver) take(message string) error {
	number, text, _ := strings.Cut(message, " ")
	if number == "not" {
		return nil
	}
	id, err := strconv.Atoi(number)
	if err != nil {
		return fmt.Errorf("got %.50q", message)
	}
	v.events = append(v.events, soakEvent{id})
	to := v.log.to(id)
	if to == parley.Group("kept") {
		v.last = id
	}
	if text == "end" {
		v.ends[to] = true
	}
	return nil
}

func (v *soakReceiver) String() string {
	return fmt.Sprintf("device %q of %s, on its connection %d", v.device, v.user, v.opened)
}

// check holds what came to what was kept.
func (v *soakReceiver) check() {
	if !v.done() {
		v.t.Errorf("%v: has the ends of %v; the last connection ended with %v", v, v.ends, v.ended)
	}
	if v.missed > 0 {
		v.t.Errorf("%v: was told %d times that it missed messages", v, v.missed)
	}
	v.checkLog(parley.User(v.user), true)
	v.checkLog(parley.Group("kept"), false)
	for _, e := range v.events {
		if to := v.log.to(e.id); e.id > 0 && to != parley.User(v.user) && to != parley.Group("kept") {
			v.t.Errorf("%v: got message %d to %v", v, e.id, to)
		}
	}
}

// checkLog follows one address. A new connection may begin again behind what was
// acknowledged, if it goes by that.
func (v *soakReceiver) checkLog(of parley.Address, acknowledges bool) {
	ids := v.log.order(of)
	index := map[int]int{}
	for i, id := range ids {
		index[id] = i
	}
	next, furthest, fresh, faults := 0, 0, false, 0
	fault := func(format string, args ...any) {
		if faults++; faults <= 3 {
			v.t.Errorf("%v, %v: %s", v, of, fmt.Sprintf(format, args...))
		}
	}
	for _, e := range v.events {
		if e.id == 0 {
			fresh = true
			continue
		}
		if v.log.to(e.id) != of {
			continue
		}
		i, known := index[e.id]
		if fresh && acknowledges && i <= furthest { // also ahead of the connection before: an answer may come late
			next = i
		}
		switch {
		case !known:
			fault("message %d was not accepted", e.id)
			continue
		case i > next:
			fault("message %d follows what is before %d, and %d messages lack", e.id, ids[next], i-next)
		case i < next:
			fault("message %d came again, or late, behind %d", e.id, ids[next-1])
		}
		next, fresh = i+1, false
		furthest = max(furthest, next)
	}
	if furthest < len(ids) {
		fault("%d of %d messages lack at the end", len(ids)-furthest, len(ids))
	}
}

// dial opens a connection, without a test's ways to fail. The kernel holds little
// for a narrow one.
func (w *wire) dial(s *site, headers map[string]string, narrow bool) error {
	nc, err := s.dial()
	if err != nil {
		return err
	}
	if narrow {
		narrowed(context.Background(), nc)
	}
	w.nc, w.r = nc, bufio.NewReader(nc)
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err = nc.Write([]byte(request(headers))); err == nil {
		var response *http.Response
		if response, err = http.ReadResponse(w.r, nil); err == nil && response.StatusCode != http.StatusSwitchingProtocols {
			err = errors.New(response.Status)
		}
	}
	if err != nil {
		_ = nc.Close()
	}
	return err
}

// narrowed has the kernel hold little of what a peer did not read.
func narrowed(ctx context.Context, nc net.Conn) context.Context {
	if outer, ok := nc.(*tls.Conn); ok {
		nc = outer.NetConn()
	}
	if buffered, ok := nc.(interface {
		SetReadBuffer(int) error
		SetWriteBuffer(int) error
	}); ok {
		_ = errors.Join(buffered.SetReadBuffer(8<<10), buffered.SetWriteBuffer(8<<10)) // at worst it is not narrow
	}
	return ctx
}

// soakLog is what was sent to be kept, and what became of it.
type soakLog struct {
	*soakSends
}

type soakSends struct {
	mu      sync.Mutex // guards the rest, the streams too
	streams map[int]*soakStream
	sends   []soakSend // by ID, from 1
	changed chan struct{}
	left    int // not settled
}

type soakSend struct {
	to     parley.Address
	stream *soakStream
	place  parley.Cursor // zero: not accepted
	err    error
	known  bool
}

// soakStream is one that sends.
type soakStream struct {
	*soakSends
	number int
	hub    *parley.Hub
}

func newSoakLog() soakLog {
	return soakLog{&soakSends{streams: map[int]*soakStream{}, sends: make([]soakSend, 1), changed: make(chan struct{})}}
}

func (l *soakSends) stream(number int) *soakStream {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams[number] == nil {
		l.streams[number] = &soakStream{soakSends: l, number: number}
	}
	return l.streams[number]
}

// next returns the ID of the stream's next message, and what is to be told of it.
func (s *soakStream) next(to parley.Address) (int, func(parley.Sent, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := len(s.sends)
	s.sends = append(s.sends, soakSend{to: to, stream: s})
	s.left++
	return id, func(sent parley.Sent, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		m := &s.sends[id]
		m.place, m.err, m.known = sent.Cursor, err, true
		s.left--
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// wait returns once something holds, which may take as long as a test waits.
func (l *soakSends) wait(holds func() bool) bool {
	limit := time.After(patience)
	for {
		l.mu.Lock()
		ok, changed := holds(), l.changed
		l.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-limit:
			return false
		}
	}
}

// settle waits until all is known.
func (l *soakSends) settle(t interface{ Error(...any) }) {
	if !l.wait(func() bool { return l.left == 0 }) {
		t.Error("it is not told what became of some messages")
	}
}

// place returns where a message is, which it waits for.
func (l *soakSends) place(id int) (at parley.Cursor) {
	l.wait(func() bool {
		at = l.sends[id].place
		return l.sends[id].known
	})
	return at
}

func (l *soakSends) to(id int) parley.Address {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id >= len(l.sends) {
		return parley.Address{}
	}
	return l.sends[id].to
}

// order returns the accepted messages of an address, in the order of its log.
func (l *soakSends) order(of parley.Address) (ids []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bySeq := map[uint64]int{}
	for id := range l.sends {
		if m := &l.sends[id]; m.to == of && !m.place.IsZero() {
			bySeq[m.place.Seq] = id
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(bySeq)) {
		ids = append(ids, bySeq[seq])
	}
	return ids
}

// checkSenders holds each stream's messages to its order, and to be accepted.
func (l *soakSends) checkSenders(t interface{ Errorf(string, ...any) }) {
	type way struct {
		stream *soakStream
		to     parley.Address
	}
	last := map[way]uint64{}
	for id := range l.sends {
		m := &l.sends[id]
		if id == 0 {
			continue
		}
		if m.err != nil || !m.known {
			t.Errorf("message %d of stream %d to %v: %v", id, m.stream.number, m.to, m.err)
			continue
		}
		w := way{m.stream, m.to}
		if m.place.Seq <= last[w] {
			t.Errorf("message %d of stream %d to %v is at %d, and an earlier one at %d", id, m.stream.number, m.to, m.place.Seq, last[w])
		}
		last[w] = m.place.Seq
	}
}
