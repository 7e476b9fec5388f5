package scenario

import (
	"context"
	"fmt"
	"strconv"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// spread compares one group of many connections with many groups of one.
type spread struct {
	connections int
	pace
}

func newSpread(quick bool) *spread {
	if quick {
		return &spread{connections: 200, pace: quickPace}
	}
	return &spread{connections: 19000, pace: usualPace}
}

// The cases, by the number of groups.
const (
	oneGroup   = "one group"
	manyGroups = "groups of one"
)

func (s *spread) Name() string { return "spread" }

func (s *spread) Title() string { return "One large group, many small ones" }

func (s *spread) About() string {
	return fmt.Sprintf(`The same %s connections are one group of a program that uses Parley as a library, or each is a group of its own. The program sends them all a message of %d bytes by itself: with one call of Send, or with one for each group, one call after the other. When all have it comes the next round.
It is measured as the fan-out is. The ratio is to the one group.`, report.Count(s.connections), fanoutBytes)
}

func (s *spread) Runs(wanted int) int { return min(wanted, 3) }

func (s *spread) Cases() []Case {
	return []Case{
		{Name: oneGroup, Only: baselineOnly, Run: func(ctx context.Context, _ *system.System, env *system.Env) (Outcome, error) {
			return s.run(ctx, env, 1)
		}},
		{Name: manyGroups, Only: baselineOnly, Run: func(ctx context.Context, _ *system.System, env *system.Env) (Outcome, error) {
			return s.run(ctx, env, s.connections)
		}},
	}
}

func (s *spread) run(ctx context.Context, env *system.Env, groups int) (Outcome, error) {
	return onLibrary(ctx, env, "/grouped/g", func(b *bench) (Outcome, error) {
		group := func(i int) string { return strconv.Itoa(i % groups) }
		receivers, err := b.loop.Dial(b.to, s.connections, group, dialLimit)
		if err != nil {
			return Outcome{}, err
		}
		b.to.Dialect = dialect.Mounted{Prefix: "/spread/g/"}
		sender, err := b.loop.Dial(b.to, 1, func(int) string { return strconv.Itoa(groups) }, dialLimit)
		if err != nil {
			return Outcome{}, err
		}
		if err := b.probe(sender[0], receivers); err != nil {
			return Outcome{}, err
		}
		cast := newBroadcast(b.loop, receivers, textMessage(fanoutBytes), 1)
		cast.sender = sender[0]
		return s.take(b, cast)
	})
}

func (s *spread) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "", "CPU µs per delivery", "Ratio", "Deliveries/s")
	t.Title = s.Title()
	base, _ := t.base(oneGroup).Median(cpuPerDelivery)
	for _, sys := range f.Measured() {
		if sys.Name != baseline {
			continue
		}
		for _, name := range []string{oneGroup, manyGroups} {
			figures := t.flowFigures(name, sys)
			cost, _ := t.base(name).Median(cpuPerDelivery)
			t.Rows = append(t.Rows, []string{name, figures[0], report.Ratio(cost, base), figures[1]})
		}
	}
	return []report.Table{t.Table}
}
