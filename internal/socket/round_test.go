package socket

import "testing"

// TestRoundIsBounded has a round's posts alternate between two topics that all
// connections are members of: what the loop holds for the end of the round stays
// bounded, and each gets every frame in order.
func TestRoundIsBounded(t *testing.T) {
	t.Parallel()
	const conns, posts = 200, 2000
	e := newTestEngine(t, testConfig())
	l := e.loops[0]
	var topics [2]Topic
	server, client := tcpPair(t)
	for i := range conns {
		nc, h := server, newRecorder()
		if i > 0 {
			nc = newStuckConn()
		}
		c := open(t, e, nc, h)
		h.join(t, c, &topics[0])
		h.join(t, c, &topics[1])
	}
	onLoop(t, l, func() {
		run := make([]post, posts)
		for i := range run {
			run[i] = post{kind: postPublish, part: topics[i%2].on(l, false), data: numbered(i % 2)}
		}
		l.apply(run)
		if n := len(l.nodes); n > maxNodes+conns {
			t.Errorf("the loop holds %d pieces for the end of the round, want at most %d", n, maxNodes+conns)
		}
	})
	for i := range posts {
		f, err := readFrame(client)
		check(t, err)
		if want := []int{8, 125}[i%2]; len(f.Payload) != want {
			t.Fatalf("frame %d has %d bytes, want %d", i, len(f.Payload), want)
		}
	}
}
