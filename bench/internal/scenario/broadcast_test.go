package scenario

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
)

// cast returns a broadcast to two receivers that has sent a number of messages, without a network.
func cast(t *testing.T, window, sent int) (*broadcast, []*load.Conn) {
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
	receivers := []*load.Conn{{Index: 0}, {Index: 1}}
	b := newBroadcast(loop, receivers, textMessage(32), window)
	b.sent = sent
	return b, receivers
}

func deliver(b *broadcast, to *load.Conn, numbers ...int) {
	for _, n := range numbers {
		b.Message(to, textMessage(32).with(n))
	}
}

func TestBroadcastIsDoneWhenAllHaveIt(t *testing.T) {
	t.Parallel()
	b, receivers := cast(t, 4, 3)
	var ended []int
	b.onDone = func(n int) { ended = append(ended, n) }
	deliver(b, receivers[0], 0, 1, 2)
	if b.done != 0 {
		t.Errorf("%d are done with one receiver", b.done)
	}
	deliver(b, receivers[1], 0, 1)
	if b.done != 2 || len(ended) != 2 || ended[0] != 0 || ended[1] != 1 {
		t.Errorf("%d are done: %v", b.done, ended)
	}
	if b.arrived != 5 || b.lost != 0 || b.repeated != 0 {
		t.Errorf("arrived %d, lost %d, repeated %d", b.arrived, b.lost, b.repeated)
	}
}

func TestBroadcastCountsLostAndRepeated(t *testing.T) {
	t.Parallel()
	b, receivers := cast(t, 4, 4)
	deliver(b, receivers[0], 0, 3, 3, 1)
	if b.arrived != 2 || b.lost != 2 || b.repeated != 2 {
		t.Errorf("arrived %d, lost %d, repeated %d; want 2, 2, 2", b.arrived, b.lost, b.repeated)
	}
	deliver(b, receivers[1], 0, 1, 2, 3)
	if b.done != 4 {
		t.Errorf("%d are done, want 4: what is lost does not hold the window", b.done)
	}
}

func TestBroadcastFails(t *testing.T) {
	t.Parallel()
	b, receivers := cast(t, 4, 1)
	b.Message(receivers[0], []byte(probe))
	if b.failure != nil {
		t.Errorf("a late probe: %v", b.failure)
	}
	deliver(b, receivers[0], 1)
	if b.failure == nil || !strings.Contains(b.failure.Error(), "unexpected") {
		t.Errorf("a message that was not sent: %v", b.failure)
	}
	b.failure = nil
	b.Closed(receivers[0], io.EOF)
	if !errors.Is(b.failure, io.EOF) {
		t.Errorf("a lost connection: %v", b.failure)
	}
}
