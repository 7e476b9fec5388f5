// Package clock tells the age of what is kept, by a clock that a jump of the machine's
// wall clock cannot move.
package clock

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rt/parley/internal/fault"
)

// Confirm is how long the wall clock must be ahead before a [Clock] follows it.
const Confirm = time.Hour

// Clock is a time that never goes back. It runs by the process's monotonic clock alone:
// each message is stamped with it. A suspended machine or a stopped process has the wall
// clock be ahead of it. That is believed once the wall clock was ahead for all of a period
// of running, and as far as it was: then there was a leap, where that period began. What was
// stamped before the leap is older by it, and what was stamped since is not. A wall clock
// that is behind changes nothing.
//
// The methods are safe for concurrent use.
type Clock struct {
	read    func() (wall, ran int64)
	confirm int64

	mu      sync.Mutex // guards what follows
	offset  int64      // from the monotonic clock to this one
	looked  int64      // when the wall clock was looked at
	state   State
	resumed bool
}

// Leap is time that passed while nothing ran.
type Leap struct{ At, By int64 }

// maxLeaps bounds the leaps. The oldest are joined, where the earlier one was: what was
// stamped between is kept for longer.
const maxLeaps = 64

const (
	lookEvery = int64(time.Second) // how often the wall clock is looked at, at most
	least     = int64(time.Second) // by which the wall clock is ahead where it counts
)

// State is what outlives a process. Its numbers are nanoseconds.
type State struct {
	Time  int64 // Unix time by the clock
	Leapt int64 // all leaps
	Ahead int64 // the least that the wall clock was ahead during Held; 0 where it was not
	Held  int64
	Since int64 // the beginning of that, or before it
	Leaps []Leap
}

// New returns a clock that begins at the wall clock's time. read returns what the wall
// clock shows, as Unix time, and for how long the process ran, both in nanoseconds.
func New(read func() (wall, ran int64), confirm time.Duration) *Clock {
	c := &Clock{read: read, confirm: int64(confirm)}
	wall, ran := read()
	c.offset = max(wall, 0) - ran
	c.looked = max(wall, 0)
	return c
}

// Resume has the clock go on from where another one was, nil for none. Only its first
// call does anything: a clock that goes on is ahead of what was stored of it.
func (c *Clock) Resume(from *State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed {
		return
	}
	c.resumed = true
	if from != nil {
		_, ran := c.read()
		c.state, c.offset, c.looked = *from, from.Time-ran, from.Time
	}
}

// State returns what another clock can resume from.
func (c *Clock) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Time, _ = c.look()
	state := c.state
	state.Leaps = slices.Clone(state.Leaps)
	return state
}

// Now returns the clock's time, Unix time in nanoseconds.
func (c *Clock) Now() int64 {
	now, _ := c.Both()
	return now
}

// near is how far the two times may be apart to count as one. Both clocks are read one
// after the other.
const near = int64(time.Millisecond)

// Both returns the clock's time, and that of the wall clock, which is for people.
func (c *Clock) Both() (now, wall int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, wall = c.look()
	if now-wall < near && wall-now < near {
		wall = now
	}
	return now, wall
}

// Before returns the time before which all is older than an age.
func (c *Clock) Before(age time.Duration) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, _ := c.look()
	before := now - int64(age)
	for _, leap := range slices.Backward(c.state.Leaps) {
		if leap.At <= before {
			break
		}
		before = min(before+leap.By, leap.At)
	}
	return before
}

// look reads both clocks, and leaps as far as the wall clock is confirmed. Called with mu
// held.
func (c *Clock) look() (now, wall int64) {
	wall, ran := c.read()
	if fault.ClockTrusted() {
		return wall, wall
	}
	now = ran + c.offset
	passed := now - c.looked
	if passed < lookEvery {
		return now, wall
	}
	s, ahead := &c.state, wall-now-c.state.Leapt
	switch {
	case ahead < least:
		s.Ahead, s.Held = 0, 0
	case s.Ahead == 0:
		s.Ahead, s.Held, s.Since = ahead, 0, c.looked
	default:
		s.Ahead, s.Held = min(s.Ahead, ahead), s.Held+passed
		if s.Held >= c.confirm {
			c.leap(ahead)
		}
	}
	c.looked = now
	return now, wall
}

// leap leaps by what is confirmed. The rest may be from any time since.
func (c *Clock) leap(ahead int64) {
	s := &c.state
	if n := len(s.Leaps); n > 0 && s.Leaps[n-1].At == s.Since {
		s.Leaps[n-1].By += s.Ahead
	} else {
		s.Leaps = append(s.Leaps, Leap{s.Since, s.Ahead})
	}
	if len(s.Leaps) > maxLeaps {
		s.Leaps[1].At, s.Leaps[1].By = s.Leaps[0].At, s.Leaps[0].By+s.Leaps[1].By
		s.Leaps = slices.Delete(s.Leaps, 0, 1)
	}
	s.Leapt += s.Ahead
	if s.Ahead, s.Held = ahead-s.Ahead, 0; s.Ahead < least {
		s.Ahead = 0
	}
}

var started = time.Now()

// Skew is by how much System's wall clock is wrong. Only the crash harness's server
// changes it.
var Skew atomic.Int64

// System reads the machine's clocks.
func System() (wall, ran int64) {
	now := time.Now()
	return now.UnixNano() + Skew.Load(), int64(now.Sub(started))
}
