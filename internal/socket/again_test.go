package socket

import (
	"testing"
	"time"
)

// askedSource is told when it is asked to read; the test answers.
type askedSource struct{ asked chan struct{} }

func (s askedSource) Read()        { s.asked <- struct{}{} }
func (askedSource) Acked(Position) {}
func (askedSource) Beat(time.Time) {}

// asker is a follower whose pages the test makes.
type asker struct {
	member *Membership
	source askedSource
}

func newAsker(t *testing.T, e *Engine, log *testLog) asker {
	t.Helper()
	m, rec := &Membership{}, newRecorder()
	server, _ := tcpPair(t)
	m.Follow(new(Follower), open(t, e, server, rec), &log.topic)
	rec.members = append(rec.members, m)
	return asker{m, askedSource{make(chan struct{}, 1)}}
}

// turn answers, and reports whether it is asked again once the loop is done.
func (a asker) turn(t *testing.T, p *Page) (again bool) {
	t.Helper()
	check(t, a.member.Turn(t.Context(), p))
	return a.asks(t)
}

func (a asker) asks(t *testing.T) bool {
	t.Helper()
	for range 2 { // what follows from a round's posts is done before the next one
		onLoop(t, a.member.part.loop, func() {})
	}
	select {
	case <-a.source.asked:
		return true
	default:
		return false
	}
}

// passing has what is published pass by a loop whose mailbox takes one post.
type passing struct {
	t    *testing.T
	loop *Loop
	log  *testLog
	full bool
}

func (p *passing) kept(epoch, seq uint64) {
	check(p.t, p.loop.engine.PublishKept(&p.log.topic, Post{
		Frame: logFrame(seq, 8), At: Position{epoch, seq}, Prev: seq - 1,
	}))
}

func (p *passing) fill() { p.full = p.loop.mailbox.room.TryAcquire(1) || p.full }

func (p *passing) free() {
	if p.full {
		p.loop.mailbox.room.Release(1)
		p.full = false
	}
}

func (p *passing) reread() { p.loop.engine.Reread(&p.log.topic) }

// TestOlderThanWhatCameBy has followers begin, and get pages, at a place that a log had
// before more of it came by: they read again, once, and are live then.
func TestOlderThanWhatCameBy(t *testing.T) {
	t.Parallel()
	for name, comesBy := range map[string]func(p *passing){
		"a message":                 func(p *passing) { p.kept(1, 2) },
		"no room":                   func(p *passing) { p.fill(); p.kept(1, 2) },
		"no room for the second":    func(p *passing) { p.kept(1, 1); p.kept(1, 2) },
		"no room for the first":     func(p *passing) { p.fill(); p.kept(1, 1); p.free(); p.kept(1, 2) },
		"another epoch":             func(p *passing) { p.kept(2, 2) },
		"no room for another epoch": func(p *passing) { p.kept(1, 1); p.kept(2, 2) },
		"an epoch behind no room":   func(p *passing) { p.fill(); p.kept(1, 1); p.free(); p.kept(2, 2) },
		"nobody knows":              func(p *passing) { p.reread() },
		"no room, nobody knows":     func(p *passing) { p.fill(); p.kept(1, 1); p.reread() },
		"nobody knows, no room":     func(p *passing) { p.reread(); p.fill(); p.kept(1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig()
			cfg.MailboxBytes = 1 // one post
			e, log := newTestEngine(t, cfg), &testLog{}
			read := []asker{newAsker(t, e, log), newAsker(t, e, log)}
			for _, a := range read {
				beginFrom(t, a.member, a.source, Following{})
				await(t, a.source.asked, "a read")
			}
			late := newAsker(t, e, log)
			onLoop(t, e.loops[0], func() { // a round is under way
				p := &passing{t: t, loop: e.loops[0], log: log}
				comesBy(p)
				p.free()
			})
			beginFrom(t, late.member, late.source, Following{At: Position{1, 1}, Head: true})
			if !late.asks(t) {
				t.Error("who begins does not read")
			}
			for i, a := range read {
				if !a.turn(t, &Page{To: Position{1, 1}}) {
					t.Errorf("%d does not read again", i)
				}
			}
			for i, a := range append(read, late) {
				if a.turn(t, &Page{To: Position{2, 2}}) {
					t.Errorf("%d reads for ever", i)
				}
			}
		})
	}
}
