package parley_test

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// budgeted bounds what unfinished messages hold to four of the longest.
func budgeted() *parley.Options {
	return &parley.Options{Compression: true, Limits: parley.Limits{
		MessageBytes: 1 << 18, UnfinishedBytes: 1 << 20, CloseTimeout: 200 * time.Millisecond,
	}}
}

// TestUnfinishedMessages has 16 clients begin long messages, of which four have room.
// The others are told to try again later, a short message in two pieces arrives, and in
// the end nothing is held.
func TestUnfinishedMessages(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		codes, got := make(chan parley.CloseCode, 32), make(chan string, 1)
		hub := k.hub(t, budgeted())
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{
				receive: func(_ *parley.Conn, m parley.Message) error {
					got <- string(m.Data)
					return nil
				},
				disconnect: func(_ *parley.Conn, code parley.CloseCode) { codes <- code },
			}
		})
		begun := framed(fin|opBinary, 8, 1<<18) + strings.Repeat("a", 1<<18-1)
		var all []*wire
		for range 16 {
			w := s.open(t)
			all = append(all, w)
			go func() { _, _ = w.nc.Write([]byte(begun)) }() // it may be cut off
		}
		for range 12 {
			if code := await(t, codes, "Disconnect"); code != parley.CloseTryAgainLater {
				t.Fatalf("a connection was closed with %v", code)
			}
		}
		if stats := hub.Stats(); stats.NoRoom != 12 || stats.Unfinished > 1<<20 {
			t.Errorf("%d messages ended, and %d bytes are held", stats.NoRoom, stats.Unfinished)
		}
		small := s.open(t)
		small.send(text("abc")[:8])
		small.send(text("abc")[8:])
		if m := await(t, got, "a short message"); m != "abc" {
			t.Errorf("got %q", m)
		}
		for _, w := range append(all, small) {
			_ = w.nc.Close()
		}
		for range 5 {
			await(t, codes, "Disconnect")
		}
		if held := hub.Stats().Unfinished; held != 0 {
			t.Errorf("%d bytes are held for nobody", held)
		}
	})
}

// TestUnfinishedOfBusy ends the message of a connection that is not read, as its
// consumer is busy.
func TestUnfinishedOfBusy(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		opts := budgeted()
		opts.Limits.MessageBytes, opts.Limits.UnfinishedBytes, opts.Limits.ReceiveQueue = 1<<12, 1<<12, 1
		busy, goOn := make(chan bool), make(chan bool)
		codes := make(chan parley.CloseCode, 8)
		hub := k.hub(t, opts)
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{
				receive: func(*parley.Conn, parley.Message) error {
					busy <- true
					<-goOn
					return nil
				},
				disconnect: func(_ *parley.Conn, code parley.CloseCode) { codes <- code },
			}
		})
		w := s.open(t)
		// One record of TLS, and so one read.
		w.send(text("x") + framed(fin|opBinary, 2, 1<<12) + strings.Repeat("a", 1000))
		<-busy
		for range 5 {
			s.open(t).send(framed(fin|opBinary, 2, 1<<12) + strings.Repeat("a", 900))
		}
		w.expect("close 1013")
		close(goOn)
		if code := await(t, codes, "Disconnect"); code != parley.CloseTryAgainLater {
			t.Errorf("closed with %v", code)
		}
	})
}

// TestUnfinishedInflated has consumers busy with messages that were short before they
// were inflated. The fifth has no room.
func TestUnfinishedInflated(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		busy, goOn := make(chan bool), make(chan bool)
		hub := k.hub(t, budgeted())
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{receive: func(*parley.Conn, parley.Message) error {
				busy <- true
				<-goOn
				return nil
			}}
		})
		s.deflates = true
		long := frame(fin|rsv1|opText, deflated(strings.Repeat("a", 1<<18)))
		for range 4 {
			s.open(t).send(long)
			<-busy
		}
		fifth := s.open(t)
		fifth.send(long)
		fifth.expect("close 1013")
		close(goOn)
	})
}
