package parley_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/parley-rt/parley"
)

// BenchmarkSend is what sending costs the sender, to an address that nobody has
// joined.
func BenchmarkSend(b *testing.B) {
	for _, c := range []struct {
		name string
		to   parley.Address
		keep []parley.KeepRule
	}{
		{"group", parley.Group("g"), nil},
		{"user not kept", parley.User("bob"), []parley.KeepRule{}},
		{"user", parley.User("bob"), nil},
	} {
		b.Run("hub/"+c.name, func(b *testing.B) {
			hub := newHub(b, &parley.Options{Keep: c.keep})
			sends(b, hub.Send, c.to)
		})
		b.Run("conn/"+c.name, func(b *testing.B) {
			conns := make(chan *parley.Conn, 1)
			pipe(b, newHub(b, &parley.Options{Keep: c.keep}).Handler(guest("ann", "h", conns)))
			sends(b, (<-conns).Send, c.to)
		})
	}
}

// BenchmarkSendText is what the size and the kind of text cost the sender.
func BenchmarkSendText(b *testing.B) {
	for _, c := range []struct{ name, piece string }{{"ascii", "hello "}, {"latin", "déjà vu "}, {"greek", "κόσμε "}} {
		for _, size := range []int{64, 1 << 10, 64 << 10} {
			text := strings.Repeat(c.piece, 1+size/len(c.piece))
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) {
				hub := newHub(b, &parley.Options{Keep: []parley.KeepRule{}})
				sendsText(b, hub.Send, parley.Group("g"), text)
			})
		}
	}
}

func sends(b *testing.B, send sending, to parley.Address) { sendsText(b, send, to, "hello") }

func sendsText(b *testing.B, send sending, to parley.Address, text string) {
	m := parley.Text(text)
	b.ReportAllocs()
	for b.Loop() {
		if err := send(b.Context(), to, m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSendAsync has as many kept messages on their way as may be.
func BenchmarkSendAsync(b *testing.B) {
	for name, by := range map[string]func(hub *parley.Hub, c *parley.Conn) sendingAsync{
		"hub":  func(hub *parley.Hub, _ *parley.Conn) sendingAsync { return hub.SendAsync },
		"conn": func(_ *parley.Hub, c *parley.Conn) sendingAsync { return c.SendAsync },
	} {
		b.Run(name, func(b *testing.B) {
			hub, conns := newHub(b, nil), make(chan *parley.Conn, 1)
			pipe(b, hub.Handler(guest("ann", "h", conns)))
			send := by(hub, <-conns)
			m := parley.Text("hello")
			var all sync.WaitGroup
			done := func(_ parley.Sent, err error) {
				if all.Done(); err != nil {
					b.Error(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				all.Add(1)
				send(parley.User("bob"), m, done)
			}
			all.Wait()
		})
	}
}
