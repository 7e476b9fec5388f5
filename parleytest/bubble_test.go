package parleytest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

var inMemory = &parleytest.Options{InMemory: true}

func TestHeartbeatsInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, hub := dialEcho(t, inMemory)
		c.ReceiveNothingFor(10 * time.Minute)
		c.Send("still here")
		if got := c.Receive(); got != "still here" {
			t.Errorf("got %q", got)
		}
		if n := hub.Stats().DeadClosed; n != 0 {
			t.Errorf("%d connections were taken for dead", n)
		}
	})
}

func TestDeadPeerInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c, _ := dialEcho(t, &parleytest.Options{InMemory: true, IgnorePings: true, Timeout: 5 * time.Minute})
		if got := c.CloseCode(); got != parley.CloseAbnormal {
			t.Errorf("got %v", got)
		}
		if took := time.Since(start); took < 50*time.Second || took > 90*time.Second {
			t.Errorf("the end came after %v", took)
		}
	})
}

func TestReceiveNothingInBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := dialEcho(t, inMemory)
		c.Send("hello")
		synctest.Wait()
		if got := c.Receive(); got != "hello" {
			t.Errorf("got %q", got)
		}
		c.ReceiveNothing()
		c.Close(parley.CloseNormal)
	})
}
