// Package stats holds the few statistics that the measurements need.
package stats

import (
	"math"
	"slices"
)

// Median is the middle value, or the mean of the middle two; NaN of none. It leaves values as they are.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Quantiles collects values to tell quantiles exactly. Its zero value is empty.
type Quantiles struct {
	values []uint32
	sorted bool
}

// NewQuantiles returns an empty collection with room for n values.
func NewQuantiles(n int) *Quantiles { return &Quantiles{values: make([]uint32, 0, n)} }

// Add puts in one value.
func (q *Quantiles) Add(value uint32) {
	q.values = append(q.values, value)
	q.sorted = false
}

// Len is the number of values.
func (q *Quantiles) Len() int { return len(q.values) }

// At is the smallest value that a share of at least p of the values does not exceed; 0 of none.
func (q *Quantiles) At(p float64) uint32 {
	if len(q.values) == 0 {
		return 0
	}
	if !q.sorted {
		slices.Sort(q.values)
		q.sorted = true
	}
	rank := int(math.Ceil(p * float64(len(q.values))))
	return q.values[min(max(rank, 1), len(q.values))-1]
}
