package stats_test

import (
	"math"
	"slices"
	"testing"

	"github.com/parley-rt/parley/bench/internal/stats"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	values := []float64{9, 1, 5}
	if got := stats.Median(values); got != 5 {
		t.Errorf("of three: got %v, want 5", got)
	}
	if !slices.Equal(values, []float64{9, 1, 5}) {
		t.Errorf("the values became %v", values)
	}
	if got := stats.Median([]float64{4, 1, 2, 9}); got != 3 {
		t.Errorf("of four: got %v, want 3", got)
	}
	if got := stats.Median(nil); !math.IsNaN(got) {
		t.Errorf("of none: got %v, want NaN", got)
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	q := stats.NewQuantiles(100)
	if got := q.At(0.5); got != 0 {
		t.Errorf("of none: got %d", got)
	}
	for v := range uint32(100) {
		q.Add(100 - v)
	}
	for p, want := range map[float64]uint32{0: 1, 0.5: 50, 0.99: 99, 0.991: 100, 1: 100} {
		if got := q.At(p); got != want {
			t.Errorf("at %v: got %d, want %d", p, got, want)
		}
	}
	q.Add(0)
	if got := q.At(0); got != 0 {
		t.Errorf("after adding a smaller one: got %d, want 0", got)
	}
	if got := q.Len(); got != 101 {
		t.Errorf("got %d values, want 101", got)
	}
}
