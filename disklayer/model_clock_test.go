package disklayer

import (
	"time"
)

// before returns what the store takes for the oldest that there is of an age.
func (m *model) before(age time.Duration) int64 {
	before := m.layer.cfg.clock.Before(age)
	m.oldest[age] = max(m.oldest[age], before)
	return before
}

// furthest returns the furthest that it ever was.
func (m *model) furthest(age time.Duration) int64 {
	m.before(age)
	return m.oldest[age]
}

// passing returns how long is to pass.
func (m *model) passing() time.Duration {
	switch n := m.random.IntN(20); {
	case n < 8:
		return time.Duration(m.random.Int64N(int64(150 * time.Minute)))
	case n < 9:
		return 30 * time.Hour
	}
	return time.Duration(m.random.Int64N(int64(20 * time.Minute)))
}

// pass has time pass. A wall clock that is wrong is put right before it is believed.
func (m *model) pass(by time.Duration) {
	if m.ahead != 0 && m.passed+int64(by)-m.since > int64(m.cfg.confirm)*3/4 {
		m.wrongBy(0)
	}
	if by > m.hub.keep.Age || m.now() > m.written+int64(m.hub.keep.Age) {
		m.flush() // which in use takes milliseconds
	}
	m.say("pass %v", by)
	m.clock.pass(by)
	m.passed += int64(by)
	m.now()
}

// jump moves the wall clock alone: it is wrong for a while, or the machine stands still.
func (m *model) jump() {
	by := time.Duration(m.random.Int64N(int64(40 * 24 * time.Hour)))
	switch m.random.IntN(4) {
	case 0:
		m.say("suspend for %v", by/20)
		m.clock.jump(by / 20)
		m.passed += int64(by / 20)
		m.since += int64(by / 20)
		m.now()
		return
	case 1:
		by = -by
	case 2:
		by = 0
	}
	m.wrongBy(by)
}

// wrongBy has the wall clock be wrong, and the keeper see it.
func (m *model) wrongBy(by time.Duration) {
	m.say("the wall clock is wrong by %v", by)
	m.clock.jump(by - m.ahead)
	if m.ahead <= 0 {
		m.since = m.passed
	}
	m.ahead = by
	m.clock.pass(2 * time.Second)
	m.passed += int64(2 * time.Second)
	m.now()
}

// checkClock holds the store's clock to what passed.
func (m *model) checkClock() {
	if m.wrong != "" {
		return
	}
	state := m.layer.cfg.clock.State()
	if passed := state.Time + state.Leapt - m.began; passed > m.passed {
		m.isWrong("%v passed, and %v by the store's clock", time.Duration(m.passed), time.Duration(passed))
	}
}
