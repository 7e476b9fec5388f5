package socket

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gobwas/ws"
)

// TestSchedules has connections of every kind go through the same schedules, made
// at random: what each does must be what is known to come of it, to the last
// message where that is known, and as much of it as happened where it is a
// matter of time. Its name tells the seed of one that failed.
func TestSchedules(t *testing.T) {
	t.Parallel()
	seeds := uint64(300)
	if testing.Short() {
		seeds = 60
	}
	onKinds(t, func(t *testing.T, k kind) {
		cfg := k.config()
		cfg.Loops, cfg.QueueBytes, cfg.MessageBytes = 2, 1<<30, scheduleLimit
		e := newTestEngine(t, cfg)
		for seed := range seeds {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { perform(t, k, e, seed) })
		}
	})
}

// play is the performance of a schedule.
type play struct {
	*schedule
	engine  *Engine
	kind    kind
	conn    *Conn
	handler *recorder
	client  peer
	topic   Topic
	pauses  pauses
	answers sync.WaitGroup // to the client's close frame
	sends   chan step      // to the client
	gate    gate           // the client reads while it is open

	// What was observed: the first two by the handler, the rest by the client.
	received []string
	codes    []uint16
	frames   []string
	pongs    []string
	closes   []string
	sawClose chan struct{}
}

func perform(t *testing.T, k kind, e *Engine, seed uint64) {
	p := &play{schedule: newSchedule(seed), engine: e, kind: k, conn: &Conn{}, handler: newRecorder(), sawClose: make(chan struct{})}
	server, client := k.pair(t)
	p.client = client
	r := rand.New(rand.NewPCG(seed, 6))
	if r.IntN(2) == 0 {
		setWriteBuffer(t, server, 8<<10)
	}
	p.handler.receive, p.handler.peer = p.receive, p.answer
	check(t, e.Open(p.conn, server, nil, p.handler))
	p.handler.join(t, p.conn, &p.topic)
	check(t, p.conn.Accept())
	p.sends = make(chan step, len(p.steps))
	var early []byte
	if first := p.steps[0]; first.do == clientSends && r.IntN(2) == 0 {
		n := r.IntN(len(first.bytes) + 1)
		early, p.steps[0].bytes = first.bytes[:n:n], first.bytes[n:]
	}
	check(t, p.conn.Start(early))
	var ends sync.WaitGroup
	ends.Go(func() { p.send(rand.New(rand.NewPCG(seed, 7))) })
	ends.Go(p.read)
	for _, s := range p.steps {
		p.take(t, s)
	}
	p.finish(t)
	if code := await(t, p.handler.closed, "Closed"); code != p.closed {
		t.Errorf("closed with %d, want %d", code, p.closed)
	}
	ends.Wait()
	p.answers.Wait()
	onLoop(t, p.conn.loop, func() {})
	p.verify(t)
}

func (p *play) receive(messages []Message) bool {
	for _, m := range messages {
		p.received = append(p.received, fmt.Sprint(m.Binary, string(m.Data)))
	}
	return p.pauses.receive()
}

func (p *play) answer(code uint16) {
	p.codes = append(p.codes, code)
	p.answers.Go(func() { _ = p.conn.Close(code, "") })
}

// take performs a step.
func (p *play) take(t *testing.T, s step) {
	switch s.do {
	case clientSends, clientHalfCloses:
		p.sends <- s
	case clientStops:
		p.gate.set(false)
	case clientReads:
		p.gate.set(true)
	case clientAwaitsClose:
		p.pauses.end(t, p.conn)
		await(t, p.sawClose, "the server's close frame")
	case clientLeaves:
		_ = p.client.Close()
	case clientResets:
		if tcp, ok := p.client.(interface{ SetLinger(int) error }); ok {
			check(t, tcp.SetLinger(0))
		}
		_ = p.client.Close()
	case serverWrites:
		check(t, p.conn.Write(t.Context(), s.bytes, s.more))
	case serverPublishes:
		check(t, p.engine.Publish(t.Context(), &p.topic, Post{Frame: s.bytes, More: s.more}))
	case serverCloses:
		check(t, p.conn.Close(s.code, ""))
	case serverStops:
		p.pauses.begin()
	case serverReads:
		p.pauses.end(t, p.conn)
	case loopTurns:
		onLoop(t, p.conn.loop, func() {})
	}
}

// finish lets everything happen that was held up.
func (p *play) finish(t *testing.T) {
	p.pauses.end(t, p.conn)
	p.gate.set(true)
	p.engine.Flush()
	close(p.sends)
}

// send is the client's writing.
func (p *play) send(r *rand.Rand) {
	var held []byte
	write := func() {
		for _, piece := range pieces(held, r) {
			if _, err := p.client.Write(piece); err != nil {
				break // the connection ended, and the schedule knows whether it may
			}
		}
		held = held[:0]
	}
	defer write()
	for s := range p.sends {
		held = append(held, s.bytes...)
		if s.do == clientHalfCloses {
			write()
			_ = p.client.CloseWrite()
		} else if r.IntN(3) > 0 {
			write()
		}
	}
}

// read is the client's reading. It ends the connection when the server did.
func (p *play) read() {
	defer func() { _ = p.client.Close() }()
	for {
		p.gate.wait()
		f, err := readFrame(p.client)
		if err != nil {
			return
		}
		switch f.Header.OpCode {
		case ws.OpPong:
			p.pongs = append(p.pongs, string(f.Payload))
		case ws.OpClose:
			p.closes = append(p.closes, string(f.Payload))
			if len(p.closes) == 1 {
				close(p.sawClose)
			}
			if p.ending == byBreach && p.kind.name == "wrapped" {
				return // it has no way to end its side alone
			}
		default:
			p.frames = append(p.frames, string(f.Payload))
		}
	}
}

// verify holds what was observed to what must be.
func (p *play) verify(t *testing.T) {
	t.Helper()
	if n := p.handler.closings(); n != 1 || len(p.handler.closed) > 0 {
		t.Errorf("Closing was called %d times, Closed %d times more than once", n, len(p.handler.closed))
	}
	if p.pauses.breach {
		t.Error("received while reading was paused")
	}
	exact := p.ending != byLeaving && p.ending != byReset // else what was under way may be lost
	compare(t, "the handler received", p.received, p.messages, exact)
	compare(t, "the client received", p.frames, p.writes, p.all)
	if !slices.Equal(p.codes, p.peerClose) {
		t.Errorf("PeerClose was told %d, want %d", p.codes, p.peerClose)
	}
	p.verifyPongs(t)
	if p.ending >= byHalfClose {
		if len(p.closes) > 0 {
			t.Errorf("the client received close frames %q", p.closes)
		}
	} else if len(p.closes) != 1 || p.closes[0][:min(len(p.closes[0]), 2)] != p.closeSent {
		t.Errorf("the client received close frames %q, want one of %q", p.closes, p.closeSent)
	}
}

// verifyPongs has pings be answered in order, and the last one in any case that
// came before a breach. One before a close frame need not be, if that was read
// (RFC 6455, section 5.5.2).
func (p *play) verifyPongs(t *testing.T) {
	t.Helper()
	at := -1
	for _, pong := range p.pongs {
		next := slices.Index(p.pings, pong)
		if next <= at {
			t.Errorf("pong %q came after that of ping %d", pong, at)
		}
		at = next
	}
	if last := len(p.pings) - 1; p.ending == byBreach && at != last {
		t.Errorf("ping %d was answered last, want %d", at, last)
	}
}

// compare holds what was received to what was sent: all of it, or as far as it
// came.
func compare(t *testing.T, what string, got, want []string, all bool) {
	t.Helper()
	if len(got) > len(want) || all && len(got) < len(want) {
		t.Errorf("%s %d of %d", what, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s %s at %d, want %s", what, cut(got[i]), i, cut(want[i]))
			return
		}
	}
}
