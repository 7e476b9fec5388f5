package parley

import (
	"fmt"
	"testing"
)

// TestOwingIsBounded has more devices leave a debt than are remembered, and one of those
// come again: what it may skip is known once, and at that place alone.
func TestOwingIsBounded(t *testing.T) {
	t.Parallel()
	at := func(seq uint64) Cursor { return Cursor{1, seq} }
	d := &device{at: at(9), debt: debt{at(2), at(5)}}
	s := &shard{}
	var last deviceID
	for i := range 3 * maxOwing {
		last = deviceID{User("bob"), fmt.Sprint(i)}
		s.owes(last, d)
	}
	if len(s.owing) != maxOwing {
		t.Errorf("%d devices are remembered, want %d", len(s.owing), maxOwing)
	}
	for _, want := range []skip{{at(5), at(9)}, {}} {
		if got := s.owed(last, at(2)); got != want {
			t.Errorf("it may skip %v, want %v", got, want)
		}
	}
	s.owes(last, d)
	if got := s.owed(last, at(3)); got != (skip{}) {
		t.Errorf("at another place it may skip %v", got)
	}
}
