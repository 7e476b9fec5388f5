package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/stats"
	"github.com/parley-rt/parley/bench/internal/system"
)

// slow measures what one receiver that never reads does to a server and to the other receivers.
type slow struct {
	healthy        int
	before, during int // messages without and with the receiver that does not read
	duringSlow     int // messages where the system is slow
	quiet          time.Duration
}

func newSlow(quick bool) *slow {
	if quick {
		return &slow{healthy: 10, before: 100, during: 4000, duringSlow: 200, quiet: 300 * time.Millisecond}
	}
	return &slow{healthy: 50, before: 1000, during: 20000, duringSlow: 1000, quiet: 2 * time.Second}
}

const (
	slowBytes  = 4 << 10
	slowWindow = 16

	rssGrowth    = "rss_growth"
	healthyLost  = "healthy_lost"
	maxBefore    = "max_ms_before"
	maxDuring    = "max_ms_during"
	p99Before    = "p99_ms_before"
	p99During    = "p99_ms_during"
	slowMessages = "messages"
	slowReceived = "slow_received"
)

func (s *slow) Name() string { return "slow" }

func (s *slow) Title() string { return "A receiver that never reads" }

func (s *slow) About() string {
	return fmt.Sprintf(`%d healthy receivers, one of which sends, get %s text messages of %d KiB, %d in flight; then one more receiver connects and never reads, and %s messages follow (%s where the system is slow).
*Memory* is how far the server's resident memory rose above what it was before that receiver came, at its highest. *Wait* is from the sending of a message until the last healthy receiver has it: p99 / max in milliseconds without the slow receiver, and with it.
When all is sent the slow receiver reads at last what there is for it, for as long as something comes within %s.`,
		s.healthy, report.Count(s.before), slowBytes>>10, slowWindow, report.Count(s.during), report.Count(s.duringSlow), report.Span(s.quiet))
}

func (s *slow) Runs(wanted int) int { return min(wanted, 3) }

func (s *slow) Cases() []Case { return []Case{{Name: "never reads", Run: s.run}} }

func (s *slow) run(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
	during := s.during
	if sys.Slow {
		during = s.duringSlow
	}
	return on(ctx, sys, env, func(b *bench) (Outcome, error) { return s.measure(b, during) })
}

func (s *slow) measure(b *bench, during int) (Outcome, error) {
	healthy, err := b.dial(s.healthy)
	if err != nil {
		return Outcome{}, err
	}
	cast := newBroadcast(b.loop, healthy, textMessage(slowBytes), slowWindow)
	without := newWaits(cast, s.before)
	if err := cast.sendMore(s.before); err != nil {
		return Outcome{}, err
	}
	sleeper, err := b.addSleeper(healthy[0])
	if err != nil {
		return Outcome{}, err
	}
	peak, err := newPeak(b.PID)
	if err != nil {
		return Outcome{}, err
	}
	b.loop.Handle(cast)
	with := newWaits(cast, during)
	if err := cast.sendMoreWatched(during, peak.look); err != nil {
		return Outcome{}, err
	}
	fate, err := s.wake(b, sleeper, cast.sent-during, cast.sent)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Note: fate.String(), Values: map[string]float64{
		slowMessages: float64(during),
		rssGrowth:    float64(peak.highest - peak.first),
		healthyLost:  float64(cast.lost),
		p99Before:    milliseconds(without, 0.99),
		maxBefore:    milliseconds(without, 1),
		p99During:    milliseconds(with, 0.99),
		maxDuring:    milliseconds(with, 1),
		slowReceived: float64(fate.received),
	}}, nil
}

// addSleeper connects a receiver and lets it stop reading once a message from the sender reached it.
func (b *bench) addSleeper(sender *load.Conn) (*load.Conn, error) {
	conns, err := b.loop.Dial(b.to, 1, func(int) string { return "" }, dialLimit)
	if err != nil {
		return nil, err
	}
	if err := b.probe(sender, conns); err != nil {
		return nil, err
	}
	return conns[0], conns[0].Pause()
}

// wake lets the slow receiver read, and tells what it got of the messages from number first to number end.
func (s *slow) wake(b *bench, sleeper *load.Conn, first, end int) (*fate, error) {
	f := &fate{expected: end - first, next: first}
	b.loop.Handle(f)
	if err := sleeper.Resume(); err != nil {
		return nil, err
	}
	for {
		before := f.received
		more := func() bool { return f.received > before || f.cause != nil }
		came, err := b.loop.RunUntil(more, s.quiet)
		if err != nil || !came || f.cause != nil {
			return f, err
		}
	}
}

// newWaits collects, in microseconds, how long the next n messages take until they are done.
func newWaits(cast *broadcast, n int) *stats.Quantiles {
	waits := stats.NewQuantiles(n)
	cast.onDone = func(n int) {
		waits.Add(uint32((cast.loop.ReadAt - cast.sentAt[n%cast.window]).Microseconds()))
	}
	return waits
}

// peak follows a server's resident memory.
type peak struct {
	pid                  int
	looked               time.Time
	first, last, highest int64
}

// lookEvery is the least time between two looks at the memory, which take longer than the delivery of a message.
const lookEvery = 10 * time.Millisecond

func newPeak(pid int) (*peak, error) {
	rss, err := proc.QuickRSS(pid)
	return &peak{pid: pid, first: rss, last: rss, highest: rss}, err
}

func (p *peak) look() error {
	if time.Since(p.looked) < lookEvery {
		return nil
	}
	p.looked = time.Now()
	rss, err := proc.QuickRSS(p.pid)
	p.last, p.highest = rss, max(p.highest, rss)
	return err
}

func (s *slow) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "System", "Messages", "Memory", "Ratio", "Lost by the healthy",
		"Wait without", "Wait with", "The slow receiver")
	t.Title = s.Title()
	name := s.Cases()[0].Name
	base, _ := t.base(name).Median(rssGrowth)
	for _, sys := range f.Measured() {
		cell := t.cell(name, sys)
		messages, ok := cell.Median(slowMessages)
		if !ok {
			t.missing(sys)
			continue
		}
		growth, _ := cell.Median(rssGrowth)
		lost, _ := cell.Max(healthyLost)
		t.row(sys, report.Count(int(messages)), report.Bytes(growth), report.Ratio(growth, base), report.Count(int(lost)),
			waitText(cell, p99Before, maxBefore), waitText(cell, p99During, maxDuring), cell.Note())
	}
	return []report.Table{t.Table}
}

func waitText(cell result.Cell, p99, longest string) string {
	a, _ := cell.Median(p99)
	b, _ := cell.Median(longest)
	return report.Figure(a) + " / " + report.Figure(b)
}
