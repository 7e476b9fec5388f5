package scenario

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
)

// crossfireOf returns two publishers and three receivers, and each publisher has sent a number of messages, without a network.
func crossfireOf(t *testing.T, sent int) (*crossfire, []*load.Conn) {
	t.Helper()
	loop, err := load.New(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	})
	receivers := []*load.Conn{{Index: 0}, {Index: 1}, {Index: 2}}
	c := newCrossfire(loop, receivers, 2, 32)
	c.free = nil
	for i := range c.publishers {
		c.publishers[i].sent = sent
		c.sent += sent
	}
	return c, receivers
}

// from is message n of a publisher.
func from(publisher, n int) []byte { return textMessage(32).with(publisher*perPublisher + n) }

func TestCrossfireReleasesAPublisherByItsOwnMessage(t *testing.T) {
	t.Parallel()
	c, receivers := crossfireOf(t, 1)
	c.Message(receivers[1], from(0, 0))
	if len(c.free) != 0 {
		t.Errorf("publishers %v may send", c.free)
	}
	c.Message(receivers[1], from(1, 0))
	if !slices.Equal(c.free, []int{1}) || c.done != 1 {
		t.Errorf("publishers %v may send, %d messages are done", c.free, c.done)
	}
	if c.arrived != 2 || c.outstanding() != 4 {
		t.Errorf("%d arrived, %d are outstanding; want 2 and 4", c.arrived, c.outstanding())
	}
}

func TestCrossfireChecksEachPublishersOrder(t *testing.T) {
	t.Parallel()
	c, receivers := crossfireOf(t, 3)
	for _, n := range []int{0, 1, 2} {
		c.Message(receivers[2], from(1, n))
	}
	if c.lost != 0 || c.repeated != 0 {
		t.Errorf("in order: %d lost, %d repeated", c.lost, c.repeated)
	}
	for _, n := range []int{0, 2, 1} {
		c.Message(receivers[2], from(0, n))
	}
	if c.lost != 1 || c.repeated != 1 || c.arrived != 5 {
		t.Errorf("out of order: %d lost, %d repeated, %d arrived", c.lost, c.repeated, c.arrived)
	}
	c.Message(receivers[2], from(0, 3))
	if c.failure == nil || !strings.Contains(c.failure.Error(), "unexpected") {
		t.Errorf("a message that was not sent: %v", c.failure)
	}
}
