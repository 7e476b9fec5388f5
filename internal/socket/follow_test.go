package socket

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// testLog is a log that followers read. Its places grow by 1 to 3.
type testLog struct {
	topic Topic

	mu      sync.Mutex // guards what follows
	entries []testEntry
	end     Position // of the last message there will be
}

type testEntry struct {
	at    Position
	prev  uint64
	frame []byte
}

// restless has a loop look at its clock often, and so what could not be read be read
// again soon.
func restless(k kind) Config {
	cfg := k.config()
	cfg.PingInterval = 2 * time.Second
	return cfg
}

// last returns the place of the newest message, zero for none.
func (l *testLog) last() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.entries) == 0 {
		return Position{Epoch: 1}
	}
	return l.entries[len(l.entries)-1].at
}

// publish adds a message, and hands it to those who are live.
func (l *testLog) publish(t *testing.T, e *Engine, r *rand.Rand, end bool) {
	t.Helper()
	last := l.last()
	entry := testEntry{at: Position{1, last.Seq + 1 + r.Uint64N(3)}, prev: last.Seq}
	entry.frame = logFrame(entry.at.Seq, []int{8, 8, 20, 130, 3000}[r.IntN(5)])
	l.mu.Lock()
	l.entries = append(l.entries, entry)
	if end {
		l.end = entry.at
	}
	l.mu.Unlock()
	check(t, e.PublishKept(&l.topic, Post{Frame: entry.frame, At: entry.at, Prev: entry.prev}))
}

// add adds a message at the next place, without telling anybody.
func (l *testLog) add(frame []byte, end bool) {
	last := l.last()
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := testEntry{Position{1, last.Seq + 1}, last.Seq, frame}
	l.entries = append(l.entries, entry)
	if end {
		l.end = entry.at
	}
}

func (l *testLog) ended(at Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return at == l.end
}

// logFrame returns a frame that holds a place; an ephemeral message has none.
func logFrame(seq uint64, size int) []byte {
	payload := make([]byte, max(size, 8))
	binary.BigEndian.PutUint64(payload, seq)
	return Frame(true, payload)
}

// after returns some of what is behind a place.
func (l *testLog) after(at Position, n int) (page []testEntry, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearchFunc(l.entries, at.Seq+1, func(e testEntry, seq uint64) int { return int(e.at.Seq) - int(seq) })
	rest := l.entries[i:]
	n = min(n, len(rest))
	return slices.Clone(rest[:n]), n < len(rest)
}

// testSource reads a log for one follower, and now and then fails to.
type testSource struct {
	log    *testLog
	member *Membership
	ctx    context.Context
	wg     *sync.WaitGroup
	acked  func(Position)

	mu sync.Mutex // guards what follows
	r  *rand.Rand
}

func (s *testSource) Read() {
	after := s.member.follower.At()
	s.wg.Go(func() { _ = s.member.Turn(s.ctx, s.page(after)) }) // fails once the engine is closed
}

func (s *testSource) page(after Position) *Page {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r.IntN(50) == 0 {
		return &Page{Failed: true}
	}
	entries, more := s.log.after(after, 1+s.r.IntN(20))
	p := &Page{To: after, More: more}
	for _, e := range entries {
		p.Frames = append(p.Frames, e.frame...)
		p.To = e.at
	}
	return p
}

func (s *testSource) Beat(time.Time) {}

func (s *testSource) Acked(at Position) {
	if s.acked != nil {
		s.acked(at)
	}
}

// follower is a connection that follows a log.
type follower struct {
	client net.Conn
	conn   *Conn
	source *testSource
	first  Position // messages behind it are to come
}

// prepare makes a follower that did not begin.
func prepare(t *testing.T, k kind, e *Engine, log *testLog, pages *sync.WaitGroup) *follower {
	t.Helper()
	server, client := k.pair(t)
	setWriteBuffer(t, server, 4<<10)
	check(t, client.SetReadBuffer(64<<10))
	rec := newRecorder()
	c := open(t, e, server, rec)
	m := &Membership{}
	s := &testSource{log: log, member: m, ctx: t.Context(), wg: pages, r: rand.New(rand.NewPCG(1, log.last().Seq))}
	m.Follow(new(Follower), c, &log.topic)
	rec.members = append(rec.members, m)
	return &follower{client: client, conn: c, source: s}
}

func follow(t *testing.T, k kind, e *Engine, log *testLog, pages *sync.WaitGroup, how Following) *follower {
	t.Helper()
	f := prepare(t, k, e, log, pages)
	if how.Head {
		how.At = log.last()
	}
	f.first = how.At
	beginFrom(t, f.source.member, f.source, how)
	return f
}

// pong sends pongs.
func (f *follower) pong(t *testing.T, payloads ...string) {
	t.Helper()
	for _, payload := range payloads {
		_, err := f.client.Write(clientFrame(ws.OpPong, payload))
		check(t, err)
	}
}

// read reads to the end of the log, and holds what comes to it.
func (f *follower) read(t *testing.T, answer bool) {
	log := f.source.log
	for at := f.first; !log.ended(at); {
		frame, err := readFrame(f.client)
		if err == nil && answer && frame.Header.OpCode == ws.OpPing {
			_, err = f.client.Write(clientFrame(ws.OpPong, string(frame.Payload)))
		}
		if err != nil {
			t.Errorf("behind %d: %v", at.Seq, err)
			return
		}
		if frame.Header.OpCode.IsControl() {
			continue
		}
		seq := binary.BigEndian.Uint64(frame.Payload)
		if seq == 0 { // it is not kept
			continue
		}
		want, _ := log.after(at, 1)
		if len(want) == 0 || want[0].at.Seq != seq {
			t.Errorf("behind %d came %d, want %v", at.Seq, seq, want)
			return
		}
		at = want[0].at
	}
}

// answer answers pings until the connection ends.
func (f *follower) answer() {
	for {
		frame, err := readFrame(f.client)
		if err == nil && frame.Header.OpCode == ws.OpPing {
			_, err = f.client.Write(clientFrame(ws.OpPong, string(frame.Payload)))
		}
		if err != nil {
			return
		}
	}
}

// TestFollowers has connections follow logs through all that sends them back to
// reading: full mailboxes, full queues, peers that read late, pages that fail, and
// messages that are not kept to the same topic. Each gets every message once and in
// order.
func TestFollowers(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.Loops, cfg.MailboxBytes, cfg.QueueBytes, cfg.DropWhenSlow = 2, 16<<10, 20_000, true
		cfg.PingInterval = 20 * time.Millisecond // so often are pages that failed read again
		e := newTestEngine(t, cfg)
		var reads, pages sync.WaitGroup
		logs := []*testLog{{}, {}}
		r := rand.New(rand.NewPCG(7, 7))
		var late []*follower
		for i := range 3000 {
			log := logs[i%2]
			log.publish(t, e, r, i >= 2998)
			if r.IntN(4) == 0 {
				check(t, e.Publish(t.Context(), &log.topic, Post{Frame: logFrame(0, 100)}))
			}
			if i%101 == 0 && i < 1500 {
				f := follow(t, k, e, log, &pages, []Following{{}, {Head: true}, {At: log.last()}}[i%3])
				if i%4 == 0 {
					late = append(late, f)
				} else {
					reads.Go(func() { f.read(t, false) })
				}
			}
		}
		for _, f := range late {
			f.read(t, false)
		}
		reads.Wait()
	})
}

// TestPongsAcknowledge has a peer answer pings while it follows a log: what is
// acknowledged grows, up to the last message.
func TestPongsAcknowledge(t *testing.T) {
	t.Parallel()
	onKinds(t, func(t *testing.T, k kind) {
		e := newTestEngine(t, restless(k))
		log := &testLog{}
		var pages sync.WaitGroup
		r := rand.New(rand.NewPCG(7, 7))
		log.publish(t, e, r, false)
		f := follow(t, k, e, log, &pages, Following{Pongs: true})
		acked := make(chan Position, 1000)
		f.source.acked = func(at Position) { acked <- at }
		check(t, f.conn.Start(nil))
		for i := range 500 {
			log.publish(t, e, r, i == 499)
		}
		f.read(t, true)
		go f.answer()
		last := Position{}
		for !log.ended(last) {
			at := await(t, acked, "an acknowledgement")
			if at.Seq <= last.Seq {
				t.Fatalf("acknowledged %d, then %d", last.Seq, at.Seq)
			}
			last = at
		}
	})
}

// beginFrom begins a membership whose messages come from a source.
func beginFrom(t *testing.T, m *Membership, from Source, how Following) {
	t.Helper()
	m.follower.From(from)
	check(t, m.Begin(how))
}
