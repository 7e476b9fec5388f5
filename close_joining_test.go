package parley_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestCloseWhileJoining closes a connection while it joins a kept address.
func TestCloseWhileJoining(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: keepAll()})
		m := newMail(t, k, hub, nil)
		var all sync.WaitGroup
		defer all.Wait()
		for range 200 {
			m.connects(t, func(c *parley.Conn) error {
				return c.Join(g, &parley.JoinOptions{Joined: func(parley.Cursor, bool) {
					all.Go(func() { _ = c.Close(1000, "") })
					for start := time.Now(); time.Since(start) < time.Millisecond; {
						runtime.Gosched()
					}
				}})
			})
		}
	})
}
