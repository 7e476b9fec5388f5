package parley_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestStressJoinLeave has two goroutines join and leave one group for one
// connection at once. Whoever was last, the connection is a member once or not
// at all.
func TestStressJoinLeave(t *testing.T) {
	t.Parallel()
	onAll(t, engines, joinLeave)
}

func joinLeave(t *testing.T, k kind) {
	hub := k.hub(t, &parley.Options{Limits: parley.Limits{MailboxBytes: 1}})
	conns := make(chan *parley.Conn, 2)
	s := newSite(t, k.transport, hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error { conns <- c; return nil }}
	})
	w, other := s.open(t), s.open(t)
	c, member := await(t, conns, "Connect"), await(t, conns, "Connect")
	if err := member.Join(parley.Group("g"), nil); err != nil { // keeps the group
		t.Fatal(err)
	}
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for i := range rounds {
		var both sync.WaitGroup
		both.Go(func() { c.Leave(parley.Group("g")) })
		both.Go(func() { _ = c.Join(parley.Group("g"), nil) })
		both.Wait()
		c.Leave(parley.Group("g"))
		if err := hub.Send(t.Context(), parley.Group("g"), parley.Text("after leaving")); err != nil {
			t.Fatal(err)
		}
		if err := c.Join(parley.Group("g"), nil); err != nil {
			t.Fatal(err)
		}
		m := fmt.Sprint(i)
		if err := hub.Send(t.Context(), parley.Group("g"), parley.Text(m)); err != nil {
			t.Fatal(err)
		}
		w.expect(fmt.Sprintf("text %q", m))
		other.expect(`text "after leaving"`, fmt.Sprintf("text %q", m))
	}
}

// TestStressOtherHubCloses sends from one hub of a layer while another one is
// cut off with its connections open.
func TestStressOtherHubCloses(t *testing.T) {
	t.Parallel()
	onAll(t, engines, otherHubCloses)
}

func otherHubCloses(t *testing.T, k kind) {
	layer := parley.NewMemoryLayer()
	stays := k.hub(t, &parley.Options{Layer: layer})
	for range 5 {
		leaves := k.hub(t, &parley.Options{Layer: layer})
		s := newSite(t, k.transport, leaves, func() parley.Consumer {
			return consumer{connect: func(c *parley.Conn) error { return c.Join(parley.Everyone, nil) }}
		})
		for range 100 {
			s.open(t)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			_ = leaves.Close(ctx)
		}()
		for over := false; !over; {
			select {
			case <-closed:
				over = true
			default:
			}
			if err := stays.Send(t.Context(), parley.Everyone, parley.Text("a")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestStressCloseUnderLoad closes a hub whose mailboxes are full and whose
// clients never stop: Close returns, and so does everybody who waited.
func TestStressCloseUnderLoad(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			hub := k.hub(t, smallest())
			s := newSite(t, k.transport, hub, func() parley.Consumer { return consumer{connect: joinEveryone, receive: toEveryone} })
			var all sync.WaitGroup
			var sent atomic.Int64
			for range 6 {
				w := s.open(t)
				all.Go(func() {
					for ; ; runtime.Gosched() { // or each writes for a whole time slice, and the others wait
						if _, err := w.nc.Write([]byte(text("a") + ping("p"))); err != nil {
							return
						}
					}
				})
				all.Go(func() {
					for {
						if _, _, err := w.read(); err != nil {
							return
						}
					}
				})
				all.Go(func() {
					for {
						if err := hub.Send(t.Context(), parley.Everyone, parley.Text("b")); err == parley.ErrClosed {
							return
						} else if err != nil {
							t.Error(err)
							return
						}
						sent.Add(1)
					}
				})
			}
			until(t, "enough was sent", func() bool { return sent.Load() > 300 })
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			closed := make(chan error, 1)
			go func() { closed <- hub.Close(ctx) }()
			await(t, closed, "Close")
			all.Wait()
		})
	}
}
