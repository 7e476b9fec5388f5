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
	topics := make([]*Topic, 6)
	for i := range topics {
		topics[i] = e.NewTopic()
	}
	type pair struct {
		c *Conn
		t *Topic
	}
	joined := make(map[pair]bool)
	var conns []*Conn
	for range 80 {
		conns = append(conns, open(t, e, newStuckConn(), newRecorder()))
	}
	for range 5000 {
		c, to := conns[r.IntN(len(conns))], topics[r.IntN(len(topics))]
		switch p := (pair{c, to}); {
		case r.IntN(500) == 0:
			onLoop(t, l, func() { l.finalize(c, codeAbnormal) })
			for _, to := range topics {
				if joined[pair{c, to}] {
					to.Forget(c)
				}
				delete(joined, pair{c, to})
			}
			fresh := open(t, e, newStuckConn(), newRecorder())
			conns[indexOf(conns, c)] = fresh
		case joined[p]:
			delete(joined, p)
			check(t, c.Leave(to))
		default:
			joined[p] = true
			check(t, c.Join(to))
		}
	}
	onLoop(t, l, func() {
		total := 0
		for _, to := range topics {
			members := to.parts[0].members
			total += len(members)
			for i, m := range members {
				if !joined[pair{m.conn, to}] || m.conn.memberships[m.at] != (membership{to, int32(i)}) {
					t.Errorf("member %d is not one, or is known as another", i)
				}
			}
			if n := int(to.parts[0].count.Load()); n != len(members) {
				t.Errorf("%d are counted, %d are members", n, len(members))
			}
		}
		if total != len(joined) {
			t.Errorf("there are %d members, want %d", total, len(joined))
		}
	})
}

func indexOf(conns []*Conn, c *Conn) int {
	for i := range conns {
		if conns[i] == c {
			return i
		}
	}
	return -1
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDeliverWhileMembersEnd has members found too slow, and finalized, in the
// middle of the first of several deliveries to all.
func TestDeliverWhileMembersEnd(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, testConfig())
	l, to := e.loops[0], e.NewTopic()
	var members []*recorder
	delivered := make(chan int, 300)
	for i := range 100 {
		h := newRecorder()
		members = append(members, h)
		h.deliver = func(any) bool { delivered <- i; return i%3 == 0 }
		c := open(t, e, newStuckConn(), h)
		check(t, c.Join(to))
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
		if n := len(to.parts[0].members); n != 34 {
			t.Errorf("%d are members, want 34", n)
		}
	})
}
