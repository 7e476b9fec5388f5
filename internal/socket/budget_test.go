package socket

import "testing"

// enders counts the calls of End.
type enders int

func (e *enders) End() { *e++ }

// TestBudget ends the longest first, of equal ones the oldest, and counts what was told
// to end until it is released.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := NewBudget(100)
	var told [4]enders
	var c [4]Charge
	hold := func(i, size int, want bool) {
		t.Helper()
		if got := b.Hold(&c[i], &told[i], size); got != want {
			t.Errorf("holding %d for %d: %v", size, i, got)
		}
	}
	hold(0, 40, true)
	hold(1, 40, true)
	hold(2, 10, true)
	hold(3, 20, true) // 110
	if told != [4]enders{1, 0, 0, 0} {
		t.Fatalf("told %v", told)
	}
	hold(0, 50, false)
	hold(2, 51, false) // it is itself the longest
	if told != [4]enders{1, 0, 0, 0} {
		t.Errorf("told %v", told)
	}
	if b.Take(50) || !b.Take(40) || b.Take(41) { // 1 and 3 hold 60
		t.Error("taken by the length is wrong")
	}
	if !b.Keep(&c[1]) || b.Keep(&c[0]) {
		t.Error("kept what had to end")
	}
	for i := range c {
		b.Release(&c[i])
	}
	b.Give(40)
	if held, ended := b.Stats(); held != 0 || ended != 4 || b.ending != 0 {
		t.Errorf("%d are held, %d of them ending, and %d ended", held, b.ending, ended)
	}
}
