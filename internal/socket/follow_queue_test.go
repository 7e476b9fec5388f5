package socket

import (
	"encoding/binary"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// readsTo reads until the message of a place came.
func (f *follower) readsTo(t *testing.T, last Position) {
	t.Helper()
	for at := uint64(0); at < last.Seq; {
		frame, err := readFrame(f.client)
		if err != nil {
			t.Fatalf("behind %d: %v", at, err)
		}
		if frame.Header.OpCode.IsControl() {
			if frame.Header.OpCode == ws.OpClose {
				t.Fatalf("closed behind %d", at)
			}
			continue
		}
		if seq := binary.BigEndian.Uint64(frame.Payload); seq == at+1 {
			at = seq
		} else if seq != 0 {
			t.Fatalf("behind %d came %d", at, seq)
		}
	}
}

// TestFullQueueOfKept has messages wait for a peer that are larger than all that may
// wait for it, with pings behind them: it is not closed for that, live or reading.
func TestFullQueueOfKept(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes = 1000
		cfg.PingInterval = 20 * time.Millisecond // so that pings find the queue full; it is not read, so none count
		e := newTestEngine(t, cfg)
		log := &testLog{}
		var pages sync.WaitGroup
		f := prepare(t, k, e, log, &pages)
		beginFrom(t, f.source.member, f.source, Following{At: Position{Epoch: 1}, Head: true, Pongs: true})
		var last Position
		for range 20 {
			last = log.kept(t, e, 1<<20, ID{})
		}
		beats := e.loops[0].wheel.every * 100
		for range beats {
			onLoop(t, e.loops[0], func() { e.loops[0].beat(time.Now()) })
		}
		f.readsTo(t, last)
		if n := e.Stats().SlowClosed.Load(); n > 0 {
			t.Error("it was closed")
		}
	})
}

// TestRoomForWhatIsNotKept has the queue of a peer that does not read fill with kept
// messages: what is not kept has room left.
func TestRoomForWhatIsNotKept(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes, cfg.PingInterval = 100_000, 20*time.Millisecond // so often are pages that failed read again
		e := newTestEngine(t, cfg)
		log := &testLog{}
		var pages sync.WaitGroup
		f := follow(t, k, e, log, &pages, Following{Head: true})
		var last Position
		for range 5000 {
			last = log.kept(t, e, 3000, ID{})
		}
		onLoop(t, e.loops[0], func() {})
		for range 10 {
			check(t, f.conn.Write(t.Context(), logFrame(0, 3000), false))
		}
		onLoop(t, e.loops[0], func() {})
		f.readsTo(t, last)
	})
}

// TestFollowsWithFullQueue has a connection begin to follow in the very round in
// which its queue fills with what is not kept: no kept message is dropped with that.
func TestFollowsWithFullQueue(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes, cfg.MailboxBytes, cfg.DropWhenSlow = 100_000, 1<<26, true
		e := newTestEngine(t, cfg)
		log := &testLog{}
		var pages sync.WaitGroup
		f := prepare(t, k, e, log, &pages)
		letGo := hold(t, e.loops[0])
		for range 8 {
			check(t, f.conn.Write(t.Context(), logFrame(0, 1<<20), false))
		}
		beginFrom(t, f.source.member, f.source, Following{At: Position{Epoch: 1}, Head: true})
		last := log.kept(t, e, 8, ID{})
		letGo()
		f.readsTo(t, last)
	})
}

// TestFollowerAmongOthers has much more published to a slow peer than it takes,
// without end, so that its queue is never empty: where messages are dropped for that,
// it gets what is kept.
func TestFollowerAmongOthers(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes, cfg.DropWhenSlow = 100_000, true
		e := newTestEngine(t, cfg)
		log, others := newFollowedLog(t, e, 100, false), new(Topic)
		var pages sync.WaitGroup
		f := prepare(t, k, e, log, &pages)
		other := &Membership{}
		other.Init(f.conn, others)
		check(t, other.Join())
		busy := func() {
			for range 4 {
				check(t, e.Publish(t.Context(), others, Post{Frame: logFrame(0, 20_000)}))
			}
			onLoop(t, e.loops[0], func() {})
		}
		for f.conn.queued() < cfg.QueueBytes/2 {
			busy()
		}
		beginFrom(t, f.source.member, f.source, Following{})
		for seen := uint64(0); seen < log.last().Seq; busy() {
			frame, err := readFrame(f.client)
			check(t, err)
			if !frame.Header.OpCode.IsControl() {
				seen = max(seen, binary.BigEndian.Uint64(frame.Payload))
			}
		}
		if e.Stats().Dropped.Load() == 0 {
			t.Error("nothing was dropped")
		}
	})
}

// TestOthersWhileAPageIsRead has a peer that reads all it is sent wait for a page that
// does not come: nothing else is dropped for that.
func TestOthersWhileAPageIsRead(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes, cfg.DropWhenSlow = 100_000, true
		e := newTestEngine(t, cfg)
		others, other := new(Topic), &Membership{}
		f := prepare(t, k, e, &testLog{}, nil)
		other.Init(f.conn, others)
		check(t, other.Join())
		source := askedSource{make(chan struct{}, 1)}
		beginFrom(t, f.source.member, source, Following{})
		await(t, source.asked, "a read")
		for range 4 * cfg.QueueBytes / 10_000 {
			check(t, e.Publish(t.Context(), others, Post{Frame: logFrame(0, 10_000)}))
			_, err := readFrame(f.client)
			check(t, err)
		}
		if n := e.Stats().Dropped.Load(); n > 0 {
			t.Errorf("%d messages were dropped", n)
		}
	})
}

// TestJoinAndLeaveWithoutEnd has a peer that does not read join and leave: those
// that left are not held until it does.
func TestJoinAndLeaveWithoutEnd(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.PingInterval = 20 * time.Millisecond // so often are pages that failed read again
		e := newTestEngine(t, cfg)
		log := newFollowedLog(t, e, 3000, true)
		var pages sync.WaitGroup
		f := follow(t, k, e, log, &pages, Following{})
		stays := func() (is bool) {
			onLoop(t, e.loops[0], func() {
				fs := f.conn.followers
				is = fs != nil && fs.first != nil && !fs.asked && f.conn.out.Load() != nil
			})
			return is
		}
		untilTrue(t, "the follower waits for the socket", stays)
		for range 1000 {
			m := &Membership{}
			m.Follow(new(Follower), f.conn, &log.topic)
			beginFrom(t, m, f.source, Following{})
			check(t, m.Leave())
		}
		onLoop(t, e.loops[0], func() {
			held := 0
			for m := f.conn.followers.first; m != nil; m = m.follower.next {
				held++
			}
			if held > 100 {
				t.Errorf("%d memberships are held", held)
			}
		})
		f.read(t, false)
	})
}

// TestPagesLeaveRoom fills the part of a mailbox that pages may take: what is
// published finds room.
func TestPagesLeaveRoom(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, cfg Config) {
		e := newTestEngine(t, cfg)
		l := e.loops[0]
		log := newFollowedLog(t, e, 1, false)
		var pages, turns sync.WaitGroup
		f := follow(t, kinds[0], e, log, &pages, Following{Head: true})
		onLoop(t, l, func() {})
		letGo := hold(t, l)
		const each = 64 << 10
		for range 2 * cfg.MailboxBytes / each {
			turns.Go(func() { // in vain: nobody asked
				p := &Page{Values: []PageValue{}, Bytes: each, Failed: true}
				_ = f.source.member.part.loop.putPage(t.Context(), post{kind: postPage, member: strayMember(f.conn), page: p, size: p.Bytes})
			})
		}
		for l.pages.TryAcquire(each) { // until they fill it
			l.pages.Release(each)
			runtime.Gosched()
		}
		live := Post{Frame: logFrame(log.last().Seq+1, 8), At: Position{1, log.last().Seq + 1}, Prev: log.last().Seq}
		check(t, e.PublishKept(&log.topic, live))
		l.mu.Lock()
		if len(l.gaps) > 0 {
			t.Error("a message found no room")
		}
		l.mu.Unlock()
		letGo()
		turns.Wait()
	})
}

// strayMember returns a membership that left.
func strayMember(c *Conn) *Membership {
	return &Membership{conn: c, follower: new(Follower), at: hasLeft}
}

// TestValuesAreWritten has a handler write for each value that it is handed at once,
// and the peer read late: the handler is handed no more than there is room for.
func TestValuesAreWritten(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes, cfg.PingInterval = 100_000, 20*time.Millisecond
		e := newTestEngine(t, cfg)
		log := &testLog{}
		var pages sync.WaitGroup
		f := prepare(t, k, e, log, &pages)
		f.conn.handler.(*recorder).deliver = func(value any) bool { // on the loop
			frame := value.([]byte)
			e.loops[0].writeKept(f.conn, frame)
			f.conn.Done(3000)
			return true
		}
		beginFrom(t, f.source.member, f.source, Following{At: Position{Epoch: 1}, Head: true})
		var last Position
		for range 3000 {
			last = log.keptValue(t, e, 3000)
		}
		f.readsTo(t, last)
	})
}

// keptValue is kept for those who are handed values; pages hold its frame.
func (l *testLog) keptValue(t *testing.T, e *Engine, size int) Position {
	t.Helper()
	l.mu.Lock()
	at := Position{1, uint64(len(l.entries)) + 1}
	frame := logFrame(at.Seq, size)
	l.entries = append(l.entries, testEntry{at: at, prev: at.Seq - 1, frame: frame})
	l.mu.Unlock()
	check(t, e.PublishKept(&l.topic, Post{Value: frame, Size: size, At: at, Prev: at.Seq - 1}))
	return at
}
