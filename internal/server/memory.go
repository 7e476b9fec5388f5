package server

import "math"

// minUnfinished is the least that --unfinished-bytes is by default.
const minUnfinished = 64 << 20

// unfinishedFor is an eighth of the memory; 0 where that is unknown.
func unfinishedFor(memory uint64) int64 {
	return int64(max(minUnfinished, min(memory/8, math.MaxInt)))
}
