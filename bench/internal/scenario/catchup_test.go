package scenario

import (
	"testing"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/system"
)

func TestCatchUpTakesEveryMessageInOrder(t *testing.T) {
	t.Parallel()
	loop, err := load.New(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	for _, test := range []struct {
		name    string
		numbers []int // what user 7 gets, of whose messages 35 to 39 the first is read
		all     int
		fails   bool
	}{
		{"in order", []int{36, 37, 38, 39}, 4, false},
		{"still under way", []int{36}, 1, false},
		{"one that is read", []int{35}, 0, true},
		{"one left out", []int{36, 38}, 1, true},
		{"one repeated", []int{36, 36}, 1, true},
		{"one of another user's", []int{36, 37, 38, 39, 40}, 4, true},
	} {
		c := newCatchUp(loop, system.Stock{Users: 8, Each: 5, Read: 1}, 7)
		for _, n := range test.numbers {
			c.Message(&load.Conn{}, textMessage(32).with(n))
		}
		if c.all != test.all || (c.failure != nil) != test.fails {
			t.Errorf("%s: %d messages, %v", test.name, c.all, c.failure)
		}
	}
}
