package socket

import (
	"errors"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// uploaders opens connections to which clients wrote so many reads' worth of a message
// each, while the loop is held. read counts reads; it is the loop's.
func uploaders(t *testing.T, e *Engine, n, each int) (read *int, letGo func()) {
	t.Helper()
	read = new(int)
	var clients []net.Conn
	for range n {
		server, client, err := socketPair()
		check(t, err)
		t.Cleanup(func() { _ = client.Close() })
		h, c := newRecorder(), &Conn{}
		h.receive = func([]Message) bool { *read++; return true }
		check(t, errors.Join(e.Open(c, server, nil, h), c.Accept(), c.Start(nil)))
		clients = append(clients, client)
	}
	letGo = hold(t, e.loops[0])
	message := clientFrame(ws.OpBinary, string(make([]byte, readBytes-maxHeader)))
	for _, client := range clients {
		check(t, client.SetDeadline(time.Now().Add(patience)))
		for range each {
			send(t, client, message)
		}
	}
	return read, letGo
}

// maxHeader is the size of the header of a client's frame of a read's size.
const maxHeader = 2 + 2 + 4

// TestUploadersDoNotDelayBeats has far more connections have far more to read than one
// read takes than a round may read: whatever else the loop has to do waits for a bounded
// number of reads.
func TestUploadersDoNotDelayBeats(t *testing.T) {
	t.Parallel()
	n, each := 3*eventsPerRound+7, 4
	if text := os.Getenv("PARLEY_UPLOADERS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		check(t, err)
	}
	e := newTestEngine(t, testConfig())
	l := e.loops[0]
	read, letGo := uploaders(t, e, n, each)
	done := make(chan struct{})
	check(t, l.put(t.Context(), post{kind: postDo, do: func() {
		defer close(done)
		most, longest := 0, time.Duration(0)
		for rounds := 0; *read < n*each && rounds < n*each; rounds++ {
			before, began := *read, time.Now()
			l.poller.goOn(l)
			l.poller.poll(l)
			most, longest = max(most, *read-before), max(longest, time.Since(began))
		}
		if *read < n*each {
			t.Errorf("%d of %d reads were made", *read, n*each)
		}
		t.Logf("a round makes %d reads at most, in %v", most, longest)
		if most > 2*eventsPerRound {
			t.Errorf("a round makes %d reads, want at most %d", most, 2*eventsPerRound)
		}
	}}))
	letGo()
	await(t, done, "the reads")
}

// TestCatchUpIsBounded has a loop with much to read catch up before a beat: it reads each
// connection once.
func TestCatchUpIsBounded(t *testing.T) {
	t.Parallel()
	n, each := 2*eventsPerRound+7, 4
	if text := os.Getenv("PARLEY_UPLOADERS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		check(t, err)
	}
	e := newTestEngine(t, testConfig())
	l := e.loops[0]
	read, letGo := uploaders(t, e, n, each)
	done := make(chan struct{})
	check(t, l.put(t.Context(), post{kind: postDo, do: func() {
		defer close(done)
		before, began := *read, time.Now()
		l.catchUp(nil)
		reads := *read - before
		t.Logf("%d uploaders: a beat waits for %d reads, %v", n, reads, time.Since(began))
		if reads > n {
			t.Errorf("a beat waits for %d reads, want one of each of %d connections", reads, n)
		}
	}}))
	letGo()
	await(t, done, "the reads")
}
