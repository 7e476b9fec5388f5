//go:build !race

package parley

import (
	"testing"
	"time"
)

// TestManyConnectionsOfOneDevice has a user with many connections, each of which
// acknowledges each message: one answer costs no more than with few of them.
func TestManyConnectionsOfOneDevice(t *testing.T) {
	const few, many = 100, 5000
	cost := func(n int) time.Duration {
		hub := NewHub(nil)
		defer func() { _ = hub.Close(t.Context()) }()
		h := &handler{hub: hub, plain: newProto(Base{})}
		all := make([]*following, n)
		for i := range all {
			c := &Conn{handler: h, consumer: Base{}}
			if err := hub.engine.Open(&c.sock, noSocket{}, nil, (*events)(c)); err != nil {
				t.Fatal(err)
			}
			if err := c.Identify("bob", nil); err != nil {
				t.Fatal(err)
			}
			found, _ := c.joined.find(User("bob"))
			all[i] = found.Source().(*following)
		}
		best := time.Hour
		for seq := uint64(1); seq <= 10; seq++ {
			began := time.Now()
			for i, f := range all {
				moved := hub.table.acknowledge(f, Cursor{1, seq})
				if isLast := i == n-1; isLast != (moved == Cursor{1, seq}) {
					t.Fatalf("after %d of %d answers the device is told to be at %v", i+1, n, moved)
				}
			}
			best = min(best, time.Since(began)/time.Duration(n))
		}
		return best
	}
	a, b := cost(few), cost(many)
	t.Logf("an answer costs %v of %d connections, %v of %d", a, few, b, many)
	if b > 10*a+time.Microsecond {
		t.Errorf("an answer costs %v of %d connections, and %v of %d", a, few, b, many)
	}
}
