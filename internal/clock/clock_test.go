package clock_test

import (
	"testing"
	"time"

	"github.com/parley-rt/parley/internal/clock"
)

// machine has a wall clock and a monotonic one that a test moves.
type machine struct{ wall, ran int64 }

func (m *machine) read() (wall, ran int64) { return m.wall, m.ran }

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// TestClock moves the clocks and looks at how much passed by the other one.
func TestClock(t *testing.T) {
	t.Parallel()
	type step struct {
		step, run time.Duration // the wall clock jumps, then both clocks run
		restart   bool          // and the process is another one afterwards
	}
	for name, test := range map[string]struct {
		steps []step
		want  time.Duration
	}{
		"time passes":                     {[]step{{0, 3 * day, false}}, 3 * day},
		"ahead and back":                  {[]step{{31 * day, 59 * time.Minute, false}, {-31 * day, day, false}}, day + 59*time.Minute},
		"ahead and back, restarts":        {[]step{{31 * day, time.Minute, true}, {0, time.Minute, true}, {-31 * day, time.Minute, true}, {0, 2 * time.Hour, false}}, 2*time.Hour + 3*time.Minute},
		"ahead again and again":           {[]step{{49 * time.Hour, 50 * time.Minute, false}, {-49 * time.Hour, time.Minute, false}, {49 * time.Hour, 50 * time.Minute, false}, {0, 5 * time.Minute, false}}, 106 * time.Minute},
		"back":                            {[]step{{-year, 2 * day, true}, {0, 2 * day, false}}, 4 * day},
		"back, and corrected":             {[]step{{-year, 2 * day, true}, {year, 2 * day, true}, {0, day, false}}, 5 * day},
		"suspended":                       {[]step{{8 * day, time.Hour, false}, {0, 2 * time.Second, false}}, 8*day + time.Hour + 2*time.Second},
		"suspended, in short lives":       {[]step{{8 * day, 25 * time.Minute, true}, {0, 25 * time.Minute, true}, {0, 11 * time.Minute, false}}, 8*day + 61*time.Minute},
		"not confirmed":                   {[]step{{8 * day, 25 * time.Minute, true}, {0, 25 * time.Minute, true}}, 50 * time.Minute},
		"partly confirmed":                {[]step{{31 * day, 30 * time.Minute, false}, {-23 * day, 31 * time.Minute, false}}, 8*day + 61*time.Minute},
		"a year ahead for long, and back": {[]step{{year, 2 * time.Hour, true}, {-year, 5 * day, true}, {0, 5 * day, false}}, year + 2*time.Hour + 10*day},
		"corrected little by little":      {[]step{{time.Second, 2 * time.Hour, false}, {time.Second, 2 * time.Hour, false}}, 4*time.Hour + 2*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &machine{int64(56 * year), int64(time.Hour)}
			c := clock.New(m.read, time.Hour)
			first := c.Now()
			m.wall, m.ran = m.wall+int64(time.Second), m.ran+int64(time.Second)
			last := c.Now()
			for _, s := range test.steps {
				m.wall += int64(s.step)
				for left := s.run; left > 0; left -= time.Second {
					m.wall += int64(time.Second)
					m.ran += int64(time.Second)
					now, wall := c.Both()
					if now < last || wall != m.wall {
						t.Fatalf("the time was %d, and is %d; the wall clock shows %d, and shall show %d", last, now, m.wall, wall)
					}
					last = now
				}
				if s.restart {
					state := c.State()
					m.ran = 0
					c = clock.New(m.read, time.Hour)
					c.Resume(&state)
					c.Resume(&clock.State{})
				}
			}
			want := test.want + time.Second
			if c.Before(want) > first || c.Before(want-1) <= first {
				t.Errorf("%v is not what passed", test.want)
			}
		})
	}
}

// TestStampedSince stamps something while a leap is not confirmed: it is no older by that.
func TestStampedSince(t *testing.T) {
	t.Parallel()
	m := &machine{int64(56 * year), 0}
	c := clock.New(m.read, time.Hour)
	run := func(d time.Duration) {
		m.wall, m.ran = m.wall+int64(d), m.ran+int64(d)
	}
	var before, since []int64 // stamps, a leap after each
	for range 100 {
		run(2 * time.Second)
		before = append(before, c.Now())
		run(time.Millisecond)
		m.wall += int64(day)
		since = append(since, c.Now())
		for range 4 {
			run(20 * time.Minute)
			c.Now()
		}
		run(time.Second)
		c.Now()
	}
	last := len(before) - 1
	if at := c.Before(day + time.Hour); at < before[last] || at > since[last] {
		t.Errorf("a day ago was %d, want %d to %d", at, before[last], since[last])
	}
	if at := c.Before(2 * time.Hour); at >= since[last] {
		t.Errorf("two hours ago was %d, and since then %d", at, since[last])
	}
	if at, n := c.Before(50*(day+80*time.Minute)), last-49; at < before[n-1] || at > since[n] {
		t.Errorf("50 days ago was %d, want about %d", at, before[n])
	}
	if at := c.Before(200 * day); at >= before[0] || len(c.State().Leaps) > 64 {
		t.Errorf("200 days ago was %d, after the first day, %d; there are %d leaps", at, before[0], len(c.State().Leaps))
	}
}

// TestNear has the clocks read one after the other: people are shown one time, which does
// not go back.
func TestNear(t *testing.T) {
	t.Parallel()
	m := &machine{int64(56 * year), 0}
	c := clock.New(m.read, time.Hour)
	last := int64(0)
	for i := range int64(1000) {
		m.wall, m.ran = m.wall+int64(time.Second)+i%7-3, m.ran+int64(time.Second)
		if _, wall := c.Both(); wall <= last {
			t.Fatalf("%d follows %d", wall, last)
		} else {
			last = wall
		}
	}
}

// TestBeforeEpoch has a wall clock that shows a time before 1970.
func TestBeforeEpoch(t *testing.T) {
	t.Parallel()
	m := &machine{-int64(year), 0}
	if now := clock.New(m.read, time.Hour).Now(); now != 0 {
		t.Errorf("the time is %d", now)
	}
}

// TestSystem reads the machine's clocks.
func TestSystem(t *testing.T) {
	t.Parallel()
	before := time.Now()
	now, wall := clock.New(clock.System, clock.Confirm).Both()
	if now != wall || time.Unix(0, now).Sub(before).Abs() > time.Minute {
		t.Errorf("the time is %d, and the wall clock's %d", now, wall)
	}
}
