package server

import (
	"math"
	"sync/atomic"

	"github.com/parley-rt/parley"
)

// slots bounds the connections that are open at once. Safe for concurrent use.
type slots struct {
	free atomic.Int64
}

func newSlots(n int) *slots {
	s := &slots{}
	s.free.Store(int64(n))
	return s
}

// take occupies a slot, or returns an error with the code Unavailable.
func (s *slots) take() error {
	if s.free.Add(-1) >= 0 {
		return nil
	}
	s.free.Add(1)
	return &parley.Error{Code: parley.Unavailable, Message: "the server has as many connections as it may"}
}

func (s *slots) release() { s.free.Add(1) }

// connectionsFor leaves a tenth of the open files to everything that is not a
// WebSocket connection.
func connectionsFor(openFiles uint64) int {
	return int(min(openFiles-openFiles/10, math.MaxInt32))
}
