package socket

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
)

// kept publishes one message to a log, which the test knows of.
func (l *testLog) kept(t *testing.T, e *Engine, size int, except ID) Position {
	t.Helper()
	l.mu.Lock()
	at := Position{1, uint64(len(l.entries)) + 1}
	entry := testEntry{at: at, prev: at.Seq - 1, frame: logFrame(at.Seq, size)}
	l.entries = append(l.entries, entry)
	l.mu.Unlock()
	check(t, e.PublishKept(&l.topic, Post{Frame: entry.frame, At: entry.at, Prev: entry.prev, Except: except}))
	return at
}

// numberOf reads up to a ping, and returns its number, -1 where it has none.
func (f *follower) numberOf(t *testing.T) int {
	t.Helper()
	for {
		frame, err := readFrame(f.client)
		check(t, err)
		if frame.Header.OpCode != ws.OpPing {
			continue
		}
		if n, err := strconv.Atoi(string(frame.Payload)); err == nil {
			return n
		}
		return -1
	}
}

// TestNothingToAcknowledge pings for no page that holds nothing: what follows is
// acknowledged all the same.
func TestNothingToAcknowledge(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e := newTestEngine(t, k.config())
		log := newFollowedLog(t, e, 3, false)
		var pages sync.WaitGroup
		f := prepare(t, k, e, log, &pages)
		acked := make(chan Position, 10)
		f.source.acked = func(at Position) { acked <- at }
		beginFrom(t, f.source.member, f.source, Following{At: log.last(), Pongs: true})
		check(t, f.conn.Start(nil))
		untilTrue(t, "an empty page was read", func() (live bool) {
			onLoop(t, e.loops[0], func() { live = f.source.member.follower.state == followerLive })
			return live
		})
		log.publish(t, e, rand.New(rand.NewPCG(1, 1)), true)
		f.pong(t, strconv.Itoa(f.numberOf(t)))
		if at := await(t, acked, "an acknowledgement"); !log.ended(at) {
			t.Errorf("acknowledged %d", at.Seq)
		}
	})
}

// TestLeftOutIsAcknowledged has messages left out for one connection: they count as
// acknowledged once all before them is, without an answer of their own. Another
// connection is not to get them.
func TestLeftOutIsAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, c, h, client := pipe(t, beating())
		log, m := &testLog{}, &Membership{}
		m.Follow(new(Follower), c, &log.topic)
		h.members = append(h.members, m)
		var pages sync.WaitGroup
		acked := make(chan Position, 10)
		f := &follower{client: client, conn: c, source: &testSource{
			log: log, member: m, ctx: t.Context(), wg: &pages, acked: func(at Position) { acked <- at },
		}}
		beginFrom(t, m, f.source, Following{At: Position{Epoch: 1}, Head: true, Pongs: true})
		check(t, c.Start(nil))
		number := f.numberOfKept(t, e, log)
		behind := log.kept(t, e, 8, c.ID)
		f.pong(t, strconv.Itoa(number))
		if got := <-acked; got.Seq != 1 {
			t.Errorf("acknowledged %v before what it was written", got)
		}
		f.pong(t, strconv.Itoa(f.numberOf(t)))
		if got := <-acked; got != behind {
			t.Errorf("acknowledged %v, want %v", got, behind)
		}
		at := log.kept(t, e, 8, c.ID)
		if got := <-acked; got != at {
			t.Errorf("acknowledged %v, want %v", got, at)
		}
		if n := f.numberOf(t); n != -1 {
			t.Errorf("with nothing to acknowledge the heartbeat has number %d", n)
		}
	})
}

// numberOfKept publishes a message, and returns the number of the ping behind it.
func (f *follower) numberOfKept(t *testing.T, e *Engine, log *testLog) int {
	t.Helper()
	log.kept(t, e, 8, ID{})
	return f.numberOf(t)
}

// TestAcknowledgedWhileClosing takes the answer to a ping that the peer gives after
// our close frame.
func TestAcknowledgedWhileClosing(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e := newTestEngine(t, k.config())
		log := newFollowedLog(t, e, 3, true)
		var pages sync.WaitGroup
		f := prepare(t, k, e, log, &pages)
		acked := make(chan Position, 10)
		f.source.acked = func(at Position) { acked <- at }
		beginFrom(t, f.source.member, f.source, Following{Pongs: true})
		check(t, f.conn.Start(nil))
		number := f.numberOf(t)
		check(t, f.conn.Close(codeNormal, ""))
		frame, err := readFrame(f.client)
		for check(t, err); frame.Header.OpCode != ws.OpClose; frame, err = readFrame(f.client) {
			check(t, err)
		}
		f.pong(t, strconv.Itoa(number))
		if at := await(t, acked, "an acknowledgement"); at.Seq == 0 {
			t.Error("nothing was acknowledged")
		}
	})
}
