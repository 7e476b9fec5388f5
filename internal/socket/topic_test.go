package socket

import (
	"math/rand/v2"
	"testing"
)

// TestTopicModel joins, leaves and ends connections at random, and holds the
// members of every topic to a plain map.
func TestTopicModel(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, testConfig())
	l := e.loops[0]
	r := rand.New(rand.NewPCG(1, 2))
	topics := make([]Topic, 6)
	type pair struct {
		c *Conn
		t *Topic
	}
	joined := make(map[pair]*Membership)
	var conns []*Conn
	for range 80 {
		conns = append(conns, open(t, e, newStuckConn(), newRecorder()))
	}
	for range 5000 {
		at, to := r.IntN(len(conns)), &topics[r.IntN(len(topics))]
		c := conns[at]
		h := c.handler.(*recorder)
		switch p := (pair{c, to}); {
		case r.IntN(500) == 0:
			onLoop(t, l, func() { l.finalize(c, codeAbnormal) })
			for i := range topics {
				delete(joined, pair{c, &topics[i]})
			}
			conns[at] = open(t, e, newStuckConn(), newRecorder())
		case joined[p] != nil:
			h.leave(t, joined[p])
			delete(joined, p)
		default:
			joined[p] = h.join(t, c, to)
		}
	}
	onLoop(t, l, func() {
		total := 0
		for i := range topics {
			to := topics[i].all()
			total += len(to.members)
			for at, m := range to.members {
				if joined[pair{m.conn, &topics[i]}] != m || m.part != to || m.at != int32(at+1) {
					t.Errorf("member %d is not one, or is known as another", at)
				}
			}
			if n := int(to.count.Load()); n != len(to.members) {
				t.Errorf("%d are counted, %d are members", n, len(to.members))
			}
		}
		if total != len(joined) {
			t.Errorf("there are %d members, want %d", total, len(joined))
		}
	})
}

// TestDeliverWhileMembersEnd has members found too slow, and finalized, in the
// middle of the first of several deliveries to all.
func TestDeliverWhileMembersEnd(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, testConfig())
	l, to := e.loops[0], new(Topic)
	var members []*recorder
	delivered := make(chan int, 300)
	for i := range 100 {
		h := newRecorder()
		members = append(members, h)
		h.deliver = func(any) bool { delivered <- i; return i%3 == 0 }
		c := open(t, e, newStuckConn(), h)
		h.join(t, c, to)
		onLoop(t, l, func() { c.peerClosed, c.broken = true, true }) // a close frame is out at once
	}
	for _, more := range []bool{true, true, false} {
		check(t, e.Publish(t.Context(), to, Post{Value: "a", More: more}))
	}
	onLoop(t, l, func() {})
	for i, h := range members {
		if i%3 == 0 {
			continue
		}
		if code := await(t, h.closed, "Closed"); code != 4000 {
			t.Errorf("closed with %d, want 4000", code)
		}
	}
	if want := 100 + 34 + 34; len(delivered) != want {
		t.Errorf("%d were asked, want %d", len(delivered), want)
	}
	onLoop(t, l, func() {
		if n := len(to.all().members); n != 34 {
			t.Errorf("%d are members, want 34", n)
		}
	})
}
