package socket

import (
	"runtime"
	"testing"
)

// TestFailedWriteBeforeLoopHears writes to and closes a connection between the
// failure of its writer and the moment that the loop is told of it.
func TestFailedWriteBeforeLoopHears(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t, testConfig())
	l, nc, h := e.loops[0], newStuckConn(), newRecorder()
	c := open(t, e, nc, h)
	check(t, c.Start(nil))
	if err := c.Write(t.Context(), Frame(false, []byte("a")), false); err != nil {
		t.Fatal(err)
	}
	await(t, nc.writing, "the writer")
	o := c.out.Load()

	queued := make(chan struct{})
	posts := []post{
		{kind: postDo, do: func() { <-queued }},
		{kind: postDo, do: func() {
			nc.result <- errTest
			for !o.ended() {
				runtime.Gosched()
			}
		}},
		{kind: postWrite, conn: c, data: Frame(false, []byte("b"))},
		{kind: postPeerClosed, conn: c, code: codeNormal},
		{kind: postClose, conn: c, code: codeNormal},
	}
	for _, p := range posts {
		if err := l.put(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	close(queued)
	if code := await(t, h.closed, "Closed"); code != codeNormal {
		t.Errorf("closed with %d, want %d", code, codeNormal)
	}
}

// ended reports whether the writer of o ended or failed.
func (o *outbox) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done || o.failed
}
