package parley_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// These tests run in bubbles, on pipes: a pipe holds nothing, so what the server
// does not read its client cannot write, and the other way round.

// TestReceiveQueue blocks a consumer: its client can write no more once the
// queue is full, and all of it is received in order later.
func TestReceiveQueue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits parley.Limits
		size   int
		room   int64 // messages: one at the consumer, and those that wait
	}{
		"messages":     {parley.Limits{ReceiveQueue: 10}, 5, 11},
		"one message":  {parley.Limits{ReceiveQueue: 1}, 5, 2},
		"bytes":        {parley.Limits{MessageBytes: 1000}, 300, 5},
		"large frames": {parley.Limits{MessageBytes: 1000}, 1000, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const total = 100
				goOn, received := make(chan bool), make(chan string, total)
				receive := func(_ *parley.Conn, m parley.Message) error {
					<-goOn
					received <- string(m.Data[:3])
					return nil
				}
				hub := newHub(t, &parley.Options{Limits: c.limits})
				w, _ := pipe(t, hub.Handler(func() parley.Consumer { return consumer{receive: receive} }))
				var written atomic.Int64
				send := func(from, to int) {
					for i := from; i < to; i++ {
						w.send(text(fmt.Sprintf("%03d", i) + strings.Repeat(".", c.size-3)))
						written.Add(1)
					}
				}
				send(0, 1)
				synctest.Wait() // the consumer has it
				go send(1, total)
				synctest.Wait()
				if n := written.Load(); n != c.room {
					t.Errorf("the client wrote %d messages, want %d", n, c.room)
				}
				close(goOn)
				for i := range total {
					if got, want := <-received, fmt.Sprintf("%03d", i); got != want {
						t.Fatalf("received %s, want %s", got, want)
					}
				}
			})
		})
	}
}

// slowSite has one member of everyone that reads, and one that does not yet.
func slowSite(t *testing.T, opts *parley.Options, factory func() parley.Consumer) (hub *parley.Hub, reads, slow *wire) {
	t.Helper()
	hub = newHub(t, opts)
	reads, _ = pipe(t, hub.Handler(func() parley.Consumer { return consumer{connect: joinEveryone} }))
	slow, _ = pipe(t, hub.Handler(factory))
	synctest.Wait()
	return hub, reads, slow
}

// sendNumbered sends numbers to everyone, each of which the one that reads gets
// without delay.
func sendNumbered(t *testing.T, hub *parley.Hub, reads *wire, n int) {
	t.Helper()
	start := time.Now()
	for i := range n {
		if err := hub.Send(t.Context(), parley.Everyone, parley.Text(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		reads.expect(fmt.Sprintf("text %q", fmt.Sprint(i)))
		synctest.Wait()
	}
	if waited := time.Since(start); waited > 0 {
		t.Errorf("the connection that reads waited for %v", waited)
	}
}

// queueOfTen is a bound under which ten frames of one character wait: each
// counts three bytes, and 64 for its place in the queue.
const queueOfTen = 10 * (3 + 64)

// TestSendQueueBytesCloses closes a connection for which too much waits.
func TestSendQueueBytesCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		code := make(chan parley.CloseCode, 1)
		factory := func() parley.Consumer {
			return consumer{connect: joinEveryone, disconnect: func(_ *parley.Conn, c parley.CloseCode) { code <- c }}
		}
		hub, reads, slow := slowSite(t, &parley.Options{Limits: parley.Limits{SendQueueBytes: queueOfTen}}, factory)
		sendNumbered(t, hub, reads, 20)
		for i := range 10 {
			slow.expect(fmt.Sprintf("text %q", fmt.Sprint(i)))
		}
		slow.expect("close 4000")
		slow.send(closing(4000, ""))
		slow.expect("eof")
		if got := <-code; got != parley.CloseNoProgress {
			t.Errorf("Disconnect got %v, want %v", got, parley.CloseNoProgress)
		}
		if s := hub.Stats(); s.SlowClosed != 1 || s.SlowDropped != 0 {
			t.Errorf("got %+v, want one closed and none dropped", s)
		}
	})
}

// TestSendQueueBytesDrops drops what does not fit, and counts it.
func TestSendQueueBytesDrops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := &parley.Options{SlowReader: parley.DropSlow, Limits: parley.Limits{SendQueueBytes: queueOfTen}}
		factory := func() parley.Consumer { return consumer{connect: joinEveryone} }
		hub, reads, slow := slowSite(t, opts, factory)
		sendNumbered(t, hub, reads, 50)
		for i := range 10 {
			slow.expect(fmt.Sprintf("text %q", fmt.Sprint(i)))
		}
		synctest.Wait()
		if s := hub.Stats(); s.SlowClosed != 0 || s.SlowDropped != 40 {
			t.Errorf("got %+v, want none closed and 40 dropped", s)
		}
		go func() { _ = hub.Send(t.Context(), parley.Everyone, parley.Text("goes on")) }()
		slow.expect(`text "goes on"`)
		reads.expect(`text "goes on"`)
	})
}

// TestDeliverQueue blocks a Deliverer: what does not fit its queue is dropped,
// or closes it.
func TestDeliverQueue(t *testing.T) {
	t.Parallel()
	for _, slowReader := range []parley.SlowReader{parley.CloseSlow, parley.DropSlow} {
		t.Run(fmt.Sprint(slowReader), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				goOn := make(chan bool)
				deliver := func(c *parley.Conn, m parley.Message) error {
					<-goOn
					return c.Reply(m)
				}
				opts := &parley.Options{SlowReader: slowReader, Limits: parley.Limits{DeliverQueue: 5}}
				factory := func() parley.Consumer { return deliverer{consumer{connect: joinEveryone}, deliver} }
				hub, reads, slow := slowSite(t, opts, factory)
				const sent, room = 20, 6 // one with the consumer, and five that wait
				sendNumbered(t, hub, reads, sent)
				stats := hub.Stats()
				if slowReader == parley.CloseSlow {
					slow.expect("close 4000")
					slow.send(closing(4000, ""))
					close(goOn)
					if stats.SlowClosed != 1 {
						t.Errorf("got %+v, want one closed", stats)
					}
					return
				}
				close(goOn)
				for i := range room {
					slow.expect(fmt.Sprintf("text %q", fmt.Sprint(i)))
				}
				if stats.SlowDropped != sent-room || stats.SlowClosed != 0 {
					t.Errorf("got %+v, want %d dropped", stats, sent-room)
				}
			})
		})
	}
}

// TestListenQueue blocks a listener: what does not fit its queue is counted.
func TestListenQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, nil)
		goOn, got, done := make(chan bool), make(chan string), make(chan error)
		stop := errors.New("stop")
		go func() {
			done <- hub.Listen(t.Context(), parley.Group("g"), &parley.ListenOptions{Queue: 5}, func(m parley.Message) error {
				<-goOn
				got <- string(m.Data)
				if string(m.Data) == "5" {
					return stop
				}
				return nil
			})
		}()
		synctest.Wait()
		for i := range 20 {
			if err := hub.Send(t.Context(), parley.Group("g"), parley.Text(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if missed := hub.Stats().ListenMissed; missed != 14 {
			t.Errorf("ListenMissed is %d, want 14", missed)
		}
		close(goOn)
		for i := range 6 {
			if m := <-got; m != fmt.Sprint(i) {
				t.Errorf("got %s, want %d", m, i)
			}
		}
		if err := <-done; err != stop {
			t.Errorf("Listen returned %v, want %v", err, stop)
		}
	})
}

// TestMailboxBytes has many send at once through mailboxes of one message: they
// wait for each other, or give up when their contexts end.
func TestMailboxBytes(t *testing.T) {
	t.Parallel()
	onAll(t, engines, mailboxBytes)
}

func mailboxBytes(t *testing.T, k kind) {
	hub := k.hub(t, &parley.Options{Limits: parley.Limits{MailboxBytes: 1}})
	s := newSite(t, k.transport, hub, func() parley.Consumer { return consumer{connect: joinEveryone} })
	w := s.open(t)
	go w.transcript()
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the reason"))
	gaveUp := make(chan error, 4)
	for range cap(gaveUp) {
		go func() {
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
				if err := hub.Send(ended, parley.Everyone, parley.Text("a")); err != nil {
					gaveUp <- err
					return
				}
				if err := hub.Send(t.Context(), parley.Everyone, parley.Text("b")); err != nil {
					gaveUp <- fmt.Errorf("with time to wait: %w", err)
					return
				}
			}
			gaveUp <- errors.New("the mailbox was never full")
		}()
	}
	for range cap(gaveUp) {
		err := await(t, gaveUp, "the senders")
		if told, ok := errors.AsType[*parley.Error](err); !ok || told.Code != parley.Unavailable {
			t.Errorf("Send returned %v, want code %s", err, parley.Unavailable)
		}
	}
}
