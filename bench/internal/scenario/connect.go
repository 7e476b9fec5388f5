package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// connect measures how fast connections are accepted, and what opening and closing one costs.
type connect struct {
	count, countSlow int
	rounds           int // measured; one more goes before
	rest             time.Duration
}

func newConnect(quick bool) *connect {
	if quick {
		return &connect{count: 200, countSlow: 50, rounds: 1, rest: 100 * time.Millisecond}
	}
	return &connect{count: 5000, countSlow: 1000, rounds: 3, rest: 500 * time.Millisecond}
}

const (
	connectCase = "open and close"

	connectRate = "connections_per_s"
	cpuPerOpen  = "cpu_us_per_open"
	cpuPerClose = "cpu_us_per_close"
)

func (s *connect) Name() string { return "connect" }

func (s *connect) Title() string { return "Connection rate" }

func (s *connect) About() string {
	return fmt.Sprintf(`%s connections to the endpoint of everyone (%s where the system is slow) are opened as fast as the server answers, up to 64 handshakes at once: TCP, the upgrade, and its answer; with socket.io its own handshake too. Then all of them are reset at once.
That is done once for warming up and measured %d times. *Opening* and *closing* are the server's processor time per connection, closing until %s after the reset.`,
		report.Count(s.count), report.Count(s.countSlow), s.rounds, report.Span(s.rest))
}

func (s *connect) Runs(wanted int) int { return wanted }

func (s *connect) Cases() []Case { return []Case{{Name: connectCase, Run: s.run}} }

func (s *connect) run(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
	count := s.count
	if sys.Slow {
		count = s.countSlow
	}
	return on(ctx, sys, env, func(b *bench) (Outcome, error) { return s.measure(b, count) })
}

func (s *connect) measure(b *bench, count int) (Outcome, error) {
	b.loop.Spin = true
	if _, _, err := s.round(b, count); err != nil {
		return Outcome{}, err
	}
	var opening, closing usage
	for range s.rounds {
		open, shut, err := s.round(b, count)
		if err != nil {
			return Outcome{}, err
		}
		opening, closing = opening.plus(open), closing.plus(shut)
	}
	total := float64(count * s.rounds)
	values := map[string]float64{
		connectRate: total / opening.elapsed.Seconds(),
		cpuPerOpen:  float64(opening.server.Nanoseconds()) / 1e3 / total,
		cpuPerClose: float64(closing.server.Nanoseconds()) / 1e3 / total,
	}
	opening.record(values, "")
	return Outcome{Values: values}, nil
}

// round opens connections and closes them.
func (s *connect) round(b *bench, count int) (opening, closing usage, err error) {
	meter, err := startMeter(b)
	if err != nil {
		return usage{}, usage{}, err
	}
	conns, err := b.loop.Dial(b.to, count, func(int) string { return "" }, dialLimit)
	if err != nil {
		return usage{}, usage{}, err
	}
	if opening, err = meter.read(); err != nil {
		return usage{}, usage{}, err
	}
	if meter, err = startMeter(b); err != nil {
		return usage{}, usage{}, err
	}
	for _, c := range conns {
		c.Close()
	}
	if err := b.loop.Run(s.rest); err != nil {
		return usage{}, usage{}, err
	}
	closing, err = meter.read()
	return opening, closing, err
}

func (s *connect) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "System", "Connections/s", "Opening, CPU µs", "Closing, CPU µs")
	t.Title = s.Title()
	for _, sys := range f.Measured() {
		cell := t.cell(connectCase, sys)
		limitedByLoad(t, sys, connectCase, cell, "")
		t.row(sys, t.figure(connectCase, sys, connectRate), t.figure(connectCase, sys, cpuPerOpen), t.figure(connectCase, sys, cpuPerClose))
	}
	return []report.Table{t.Table}
}
