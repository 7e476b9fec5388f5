package parley_test

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// smallest is every bound at its least.
func smallest() *parley.Options {
	return &parley.Options{
		SlowReader: parley.DropSlow,
		Limits:     parley.Limits{MailboxBytes: 1, ReceiveQueue: 1, SendQueueBytes: 1, DeliverQueue: 1},
	}
}

// TestStressAllToAll has every consumer send to everyone, and reply to each other's
// clients, from inside its calls, Receive and Deliver, through bounds of one, while
// there are members that read slowly or not at all: nobody waits for ever for
// somebody who waits for them.
func TestStressAllToAll(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		for _, delivers := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, delivers %v", k, delivers), func(t *testing.T) {
				t.Parallel()
				allToAll(t, k, delivers)
			})
		}
	}
}

func allToAll(t *testing.T, k kind, delivers bool) {
	const conns = 8
	messages := 200
	if testing.Short() || raceEnabled {
		messages = 40
	}
	hub := k.hub(t, smallest())
	var received, echoes atomic.Int64
	var others sync.Map // of connections
	all := make(chan bool)
	replyToAll := func(m parley.Message) error {
		for c := range others.Range {
			if err := c.(*parley.Conn).Reply(m); err != nil && err != parley.ErrClosed {
				return err
			}
		}
		return nil
	}
	receive := func(c *parley.Conn, m parley.Message) error {
		if err := toEveryone(c, m); err != nil {
			return err
		}
		if err := c.Join(parley.Group(string(m.Data)), nil); err != nil {
			return err
		}
		if err := c.Send(c.Context(), parley.Group(string(m.Data)), m); err != nil {
			return err
		}
		c.Leave(parley.Group(string(m.Data)))
		if received.Add(1) == int64(conns*messages) {
			close(all)
		}
		return replyToAll(m)
	}
	deliver := func(c *parley.Conn, m parley.Message) error {
		if string(m.Data) != "echo" && echoes.Add(1) < 1000 {
			if err := toEveryone(c, parley.Text("echo")); err != nil {
				return err
			}
		}
		return c.Reply(m)
	}
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		c := consumer{receive: receive}
		c.connect = func(c *parley.Conn) error { others.Store(c, true); return joinEveryone(c) }
		c.disconnect = func(c *parley.Conn, _ parley.CloseCode) { others.Delete(c) }
		if delivers {
			return deliverer{c, deliver}
		}
		return c
	})
	var clients sync.WaitGroup
	slow := s.raw(t, 3)
	stops := []func(){func() { _ = slow[0].Close() }} // which does not read
	for _, nc := range slow[1:] {
		stops = append(stops, readSlowly(nc))
	}
	for i := range conns {
		w := s.open(t)
		clients.Go(func() {
			for n := range messages {
				w.send(text(fmt.Sprint(i, " ", n%10)), ping("p"))
			}
		})
		clients.Go(func() { w.transcriptOfAll() })
	}
	await(t, all, "all messages")
	for _, stop := range stops {
		stop()
	}
	hubCloses(t, hub)
	clients.Wait()
}

// transcriptOfAll reads until the server closes, and answers.
func (w *wire) transcriptOfAll() {
	for {
		op, payload, err := w.read()
		if err != nil {
			return
		}
		if op == opClose {
			_, _ = w.nc.Write([]byte(frame(fin|opClose, string(payload))))
		}
	}
}

// readSlowly reads byte by byte until it is stopped, which closes the connection.
func readSlowly(nc net.Conn) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			if _, err := nc.Read(make([]byte, 1)); err != nil {
				return
			}
		}
	}()
	return func() {
		close(over)
		_ = nc.Close()
		<-ended
	}
}
