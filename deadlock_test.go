package parley_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/parley-rt/parley"
)

// smallest is every bound at its least.
func smallest() *parley.Options {
	return &parley.Options{
		SlowReader: parley.DropSlow,
		Limits:     parley.Limits{MailboxBytes: 1, ReceiveQueue: 1, SendQueueBytes: 1, DeliverQueue: 1},
	}
}

// TestStressAllToAll has every consumer send to everyone from inside its calls,
// Receive and Deliver, through bounds of one: nobody waits for ever for somebody
// who waits for them.
func TestStressAllToAll(t *testing.T) {
	t.Parallel()
	for _, transport := range transports {
		for _, delivers := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, delivers %v", transport, delivers), func(t *testing.T) {
				t.Parallel()
				allToAll(t, transport, delivers)
			})
		}
	}
}

func allToAll(t *testing.T, transport string, delivers bool) {
	const conns = 8
	messages := 200
	if testing.Short() {
		messages = 20
	}
	hub := newHub(t, smallest())
	var received, echoes atomic.Int64
	all := make(chan bool)
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
		return c.Reply(m)
	}
	deliver := func(c *parley.Conn, m parley.Message) error {
		if string(m.Data) != "echo" && echoes.Add(1) < 1000 {
			if err := toEveryone(c, parley.Text("echo")); err != nil {
				return err
			}
		}
		return c.Reply(m)
	}
	s := newSite(t, transport, hub, func() parley.Consumer {
		c := consumer{connect: joinEveryone, receive: receive}
		if delivers {
			return deliverer{c, deliver}
		}
		return c
	})
	var clients sync.WaitGroup
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
