package scenario

import (
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
)

// stallLimit is how long nothing may arrive before what is outstanding counts as lost.
const stallLimit = 10 * time.Second

// flow is traffic that goes on for as long as it is told to.
type flow interface {
	sendUntil(stop func() bool) error
	drain() error // waits until all that was sent has arrived
	counts() tally
}

// tally is what became of the messages of a flow.
type tally struct {
	done     int // messages
	arrived  int // deliveries, repeated ones not counted
	lost     int
	repeated int
}

func (t *tally) counts() tally { return *t }

// guard fails a flow that stands still, or whose connections end.
type guard struct {
	loop    *load.Loop
	last    time.Duration // when the last delivery came
	failure error
}

// Closed fails the flow: all connections were to stay.
func (g *guard) Closed(_ *load.Conn, cause error) {
	g.fail(fmt.Errorf("the server closed a connection: %w", cause))
}

func (g *guard) fail(cause error) {
	if g.failure == nil {
		g.failure = cause
	}
}

// step handles what happens next. missing tells, for an error, what is outstanding.
func (g *guard) step(missing func() string) error {
	if err := g.loop.Step(100 * time.Millisecond); err != nil {
		return fmt.Errorf("%w; %s", err, missing())
	}
	if g.failure != nil {
		return g.failure
	}
	if g.loop.Now()-g.last > stallLimit {
		return fmt.Errorf("nothing arrived for %v; %s", stallLimit, missing())
	}
	return nil
}

// pace says for how long a flow is measured.
type pace struct {
	warm     time.Duration
	measure  time.Duration
	messages int // at least so many, however long it takes
	longest  time.Duration
}

var (
	usualPace = pace{warm: time.Second, measure: 3 * time.Second, messages: 3, longest: 30 * time.Second}
	quickPace = pace{warm: 100 * time.Millisecond, measure: 300 * time.Millisecond, messages: 2, longest: 5 * time.Second}
)

const (
	cpuPerDelivery = "cpu_us_per_delivery"
	deliveryRate   = "deliveries_per_s"
	lostCount      = "lost"
	repeatedCount  = "repeated"
)

// take measures a flow from one message's end to another's.
func (p pace) take(b *bench, f flow) (Outcome, error) {
	if err := f.sendUntil(p.after(b.loop, f, p.warm, 1)); err != nil {
		return Outcome{}, err
	}
	meter, err := startMeter(b)
	if err != nil {
		return Outcome{}, err
	}
	before := f.counts().arrived
	if err := f.sendUntil(p.after(b.loop, f, p.measure, p.messages)); err != nil {
		return Outcome{}, err
	}
	used, err := meter.read()
	if err != nil {
		return Outcome{}, err
	}
	delivered := float64(f.counts().arrived - before)
	if err := f.drain(); err != nil {
		return Outcome{}, err
	}
	values := map[string]float64{
		cpuPerDelivery: float64(used.server.Nanoseconds()) / 1e3 / delivered,
		deliveryRate:   delivered / used.elapsed.Seconds(),
		lostCount:      float64(f.counts().lost),
		repeatedCount:  float64(f.counts().repeated),
	}
	used.record(values, "")
	return Outcome{Values: values}, nil
}

// after is true at the end of a message when both the time has passed and so many messages are done, or when it took too long.
func (p pace) after(loop *load.Loop, f flow, least time.Duration, messages int) func() bool {
	start, first := loop.Now(), f.counts().done
	last := first
	return func() bool {
		passed, done := loop.Now()-start, f.counts().done
		ended := done > last
		last = done
		return ended && (passed >= least && done-first >= messages || passed >= p.longest)
	}
}

// flowFigures are the two figures of a case that measured a flow; what was lost or repeated is noted.
func (t *comparison) flowFigures(name string, sys result.System) []string {
	cell := t.cell(name, sys)
	if lost, _ := cell.Max(lostCount); lost > 0 {
		t.note("%s, %s: %s deliveries lost", sys.Title, name, report.Count(int(lost)))
	}
	if repeated, _ := cell.Max(repeatedCount); repeated > 0 {
		t.note("%s, %s: %s deliveries repeated", sys.Title, name, report.Count(int(repeated)))
	}
	limitedByLoad(t, sys, name, cell, "")
	return []string{t.figure(name, sys, cpuPerDelivery), t.figure(name, sys, deliveryRate)}
}
