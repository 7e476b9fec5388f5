package parley_test

import (
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/parley-rt/parley"
)

// TestRunnersAreReused has many messages handled one after the other: it takes no
// more goroutines than at first.
func TestRunnersAreReused(t *testing.T) {
	for _, k := range engines {
		t.Run(k.String(), func(t *testing.T) {
			hub := k.hub(t, nil)
			handled := make(chan uint64, 1)
			s := newSite(t, k.transport, hub, func() parley.Consumer {
				return consumer{receive: func(*parley.Conn, parley.Message) error { handled <- goroutineID(); return nil }}
			})
			first, second := s.open(t), s.open(t)
			used := make(map[uint64]bool)
			const messages = 200
			for range messages {
				for _, w := range []*wire{first, second} {
					w.send(text("a"))
					used[await(t, handled, "Receive")] = true
				}
			}
			if len(used) > messages/10 {
				t.Errorf("%d messages were handled by %d goroutines", 2*messages, len(used))
			}
			until(t, "the goroutines are idle", func() bool { return parley.IdleRunners(hub) > 0 })
		})
	}
}

// goroutineID returns the number that a stack trace begins with.
func goroutineID() uint64 {
	b := make([]byte, 64)
	b = b[len("goroutine "):runtime.Stack(b, false)]
	id := uint64(0)
	for _, digit := range b {
		if digit < '0' || digit > '9' {
			break
		}
		id = 10*id + uint64(digit-'0')
	}
	return id
}

// TestIdleRunnersAreBounded has very many consumers busy at once: afterwards only
// so many goroutines stay, and none once the hub is closed.
func TestIdleRunnersAreBounded(t *testing.T) {
	for _, k := range engines {
		t.Run(k.String(), func(t *testing.T) {
			before := parley.Goroutines()
			const busy = 2 * parley.MaxIdleRunners
			hub, goOn := k.hub(t, nil), make(chan bool)
			var waiting sync.WaitGroup
			s := newSite(t, k.transport, hub, func() parley.Consumer {
				return consumer{receive: func(*parley.Conn, parley.Message) error { waiting.Done(); <-goOn; return nil }}
			})
			conns := s.raw(t, busy)
			idle := parley.Goroutines()
			waiting.Add(busy)
			for _, nc := range conns {
				write(t, nc, text("a"))
			}
			waiting.Wait()
			close(goOn)
			until(t, "the goroutines are idle", func() bool {
				return parley.IdleRunners(hub) == parley.MaxIdleRunners && parley.Goroutines() <= idle+parley.MaxIdleRunners
			})
			for _, nc := range conns {
				_ = nc.Close()
			}
			hubCloses(t, hub)
			s.http.Close()
			until(t, "no goroutine is left", func() bool { return parley.Goroutines() <= before })
			if n := parley.IdleRunners(hub); n != 0 {
				t.Errorf("%d goroutines are idle in a closed hub", n)
			}
		})
	}
}

// TestGoexitLosesNoRunner ends the goroutines of very many calls: those that come
// after are handled, and no goroutine is left over.
func TestGoexitLosesNoRunner(t *testing.T) {
	for _, k := range engines {
		t.Run(k.String(), func(t *testing.T) {
			before := parley.Goroutines()
			hub := k.hub(t, nil)
			const exits = parley.MaxIdleRunners + 50
			ended := make(chan parley.CloseCode, exits)
			s := newSite(t, k.transport, hub, func() parley.Consumer {
				return consumer{
					receive: func(c *parley.Conn, m parley.Message) error {
						if string(m.Data) == "exit" {
							runtime.Goexit()
						}
						return c.Reply(m)
					},
					disconnect: func(_ *parley.Conn, code parley.CloseCode) {
						ended <- code
						runtime.Goexit()
					},
				}
			})
			healthy := s.open(t)
			conns := s.raw(t, exits)
			for len(ended) > 0 { // of what raw measures with
				<-ended
			}
			for _, nc := range conns {
				write(t, nc, text("exit")+closing(1000, ""))
			}
			for range exits {
				if code := await(t, ended, "Disconnect"); code != parley.CloseInternalError && code != parley.CloseNormal {
					t.Fatalf("Disconnect got %v", code)
				}
			}
			for i := range 50 {
				healthy.send(text(strconv.Itoa(i)))
				healthy.expect("text " + strconv.Quote(strconv.Itoa(i)))
			}
			until(t, "all who exited have left", func() bool { return hub.Stats().Connections == 1 })
			reset(t, healthy)
			hubCloses(t, hub)
			s.http.Close()
			until(t, "no goroutine is left", func() bool { return parley.Goroutines() <= before })
		})
	}
}
