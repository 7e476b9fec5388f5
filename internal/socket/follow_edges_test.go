package socket

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// newFollowedLog returns a log with some messages.
func newFollowedLog(t *testing.T, e *Engine, n int, end bool) *testLog {
	t.Helper()
	log := &testLog{}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		log.publish(t, e, r, end && i == n-1)
	}
	return log
}

// TestFollowerReadsAll has a log read to its end that nothing is published to any
// more.
func TestFollowerReadsAll(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e := newTestEngine(t, restless(k))
		log := newFollowedLog(t, e, 200, true)
		var pages sync.WaitGroup
		follow(t, k, e, log, &pages, Following{}).read(t, false)
	})
}

// TestLastMessageFindsNoRoom publishes to a full mailbox, and nothing afterwards:
// who missed it reads it.
func TestLastMessageFindsNoRoom(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, cfg Config) {
		cfg.MailboxBytes = 1 // one post
		e := newTestEngine(t, cfg)
		log := newFollowedLog(t, e, 1, false)
		var pages sync.WaitGroup
		f := follow(t, kinds[0], e, log, &pages, Following{Head: true})
		onLoop(t, e.loops[0], func() {})
		letGo := hold(t, e.loops[0])
		check(t, e.loops[0].put(t.Context(), post{kind: postDo, do: func() {}})) // it is full now
		r := rand.New(rand.NewPCG(1, 1))
		log.publish(t, e, r, false)
		log.publish(t, e, r, true)
		letGo()
		f.read(t, false)
	})
}

// TestPublishedBeforeBegin publishes a message between finding the head and
// beginning there.
func TestPublishedBeforeBegin(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e := newTestEngine(t, k.config())
		log := newFollowedLog(t, e, 3, false)
		var pages sync.WaitGroup
		f := prepare(t, k, e, log, &pages)
		f.first = log.last()
		log.publish(t, e, rand.New(rand.NewPCG(1, 1)), true)
		beginFrom(t, f.source.member, f.source, Following{At: f.first, Head: true})
		f.read(t, false)
	})
}

// TestFollowerIsPaced has a peer not read: only a page waits for it, and the log is
// not read on.
func TestFollowerIsPaced(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e := newTestEngine(t, restless(k))
		log := newFollowedLog(t, e, 3000, true)
		var pages sync.WaitGroup
		f := follow(t, k, e, log, &pages, Following{})
		waits := func() (at Position, is bool) {
			onLoop(t, e.loops[0], func() {
				fs, o := f.conn.followers, f.conn.out.Load()
				is = fs != nil && fs.first != nil && !fs.asked && !fs.listed && o != nil
				if is && o.size() > 64<<10 {
					t.Errorf("%d bytes wait", o.size())
				}
				at = f.source.member.follower.At()
			})
			return at, is
		}
		untilTrue(t, "the follower waits for the socket", func() bool {
			_, is := waits()
			return is
		})
		if at, _ := waits(); log.ended(at) {
			t.Error("all was read")
		}
		f.read(t, false)
	})
}

// TestPongOfAnotherPing acknowledges nothing.
func TestPongOfAnotherPing(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e := newTestEngine(t, k.config())
		log := newFollowedLog(t, e, 1, false)
		var pages sync.WaitGroup
		f := prepare(t, k, e, log, &pages)
		f.source.acked = func(at Position) { t.Errorf("%d was acknowledged", at.Seq) }
		beginFrom(t, f.source.member, f.source, Following{Pongs: true})
		check(t, f.conn.Start(nil))
		frame, err := readFrame(f.client)
		for err == nil && frame.Header.OpCode != ws.OpPing {
			frame, err = readFrame(f.client)
		}
		check(t, err)
		f.pong(t, "", "x", "-1", "256", "2", string(frame.Payload)+"0", " "+string(frame.Payload))
		_, err = f.client.Write(clientFrame(ws.OpPing, "all was read"))
		check(t, err)
		for string(frame.Payload) != "all was read" {
			frame, err = readFrame(f.client)
			check(t, err)
		}
	})
}

// TestSlowFollowerIsAnswered has a peer that does not read be sent a page that is
// larger than its queue may be, then something else: it is not too slow for that.
func TestSlowFollowerIsAnswered(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.QueueBytes = 16 << 10
		e := newTestEngine(t, cfg)
		log := &testLog{}
		log.add(logFrame(1, 8<<20), true)
		var pages sync.WaitGroup
		f := follow(t, k, e, log, &pages, Following{})
		untilTrue(t, "the page waits", func() bool {
			o := f.conn.out.Load()
			return o != nil && o.size() > cfg.QueueBytes
		})
		check(t, f.conn.Write(t.Context(), logFrame(0, 1000), false))
		f.read(t, false)
		frame, err := readFrame(f.client)
		check(t, err)
		if frame.Header.OpCode != ws.OpBinary || len(frame.Payload) != 1000 {
			t.Errorf("got %v behind the page", frame.Header)
		}
	})
}
