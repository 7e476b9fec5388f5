package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// resume measures how long it takes many users to get what they missed, and what others notice of it.
type resume struct {
	users, missed int
	healthy, rate int // users that are connected all the time, and the messages per second between them
	before        time.Duration
	limit         time.Duration
}

func newResume(quick bool) *resume {
	if quick {
		return &resume{users: 200, missed: 20, healthy: 20, rate: 200, before: 300 * time.Millisecond, limit: 20 * time.Second}
	}
	return &resume{users: 10_000, missed: 100, healthy: 200, rate: 2000, before: 3 * time.Second, limit: time.Minute}
}

const (
	resumeCase = "at once"

	resumeSeconds = "resume_s"
	rssAfter      = "rss_growth_after"
	serverSeconds = "server_s"
)

func (s *resume) Name() string { return "resume" }

func (s *resume) Title() string { return "Many resume at once" }

func (s *resume) About() string {
	return fmt.Sprintf(`A server is started on the data of one that was killed: %s users have %d messages each of %d bytes that they missed, behind one that they acknowledged. All of these users connect as fast as the server answers, up to 64 handshakes at once, from a process of its own. *Time* is from the first handshake until the last of them has the last message. Each must get its messages in order and once.
Meanwhile %d others, who are connected all the time, send each other kept messages, %s a second in all. Their latency runs from the moment a message was due until it arrived: p99 / max, in the %s before, and while the others resume.
*Memory* is how far the server's resident memory rose above what it was before they came, at its highest, the connections themselves included, and what was left after a garbage collection.`,
		report.Count(s.users), s.missed, peersBytes, s.healthy, report.Count(s.rate), report.Span(s.before))
}

func (s *resume) Runs(wanted int) int { return min(wanted, 5) }

func (s *resume) Cases() []Case { return []Case{{Name: resumeCase, Only: parleys, Run: s.run}} }

func (s *resume) run(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
	stock := system.Stock{Users: s.users, Each: s.missed + 1, Read: 1, Size: peersBytes}
	return onStock(ctx, env, stock, func(args []string) (Outcome, error) {
		return onKept(ctx, sys, env, args, func(b *bench) (Outcome, error) { return s.measure(ctx, b, stock) })
	})
}

// onStock stores messages in a directory, and runs measure with the arguments that have a server use it.
func onStock(ctx context.Context, env *system.Env, stock system.Stock, measure func(args []string) (Outcome, error)) (Outcome, error) {
	dir, err := os.MkdirTemp(env.Temp, "data-")
	if err != nil {
		return Outcome{}, fmt.Errorf("make a data directory: %w", err)
	}
	defer os.RemoveAll(dir)
	dir = filepath.Join(dir, "data")
	if err := stock.Fill(ctx, env, dir); err != nil {
		return Outcome{}, err
	}
	return measure([]string{"--data", dir})
}

func (s *resume) measure(ctx context.Context, b *bench, stock system.Stock) (Outcome, error) {
	healthy, err := b.dialUsers(s.users, s.healthy)
	if err != nil {
		return Outcome{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	others, err := startHolder(ctx, task{addr: b.Addr, prefix: usersPrefix, count: s.users, limit: s.limit})
	if err != nil {
		cancel()
		return Outcome{}, err
	}
	defer others.end()
	defer cancel()
	before := newTraffic(b.loop, healthy, s.users, s.rate, 0, s.before)
	if err := errors.Join(before.runCalmly(), b.Collect()); err != nil {
		return Outcome{}, err
	}
	peak, err := newPeak(b.PID)
	if err != nil {
		return Outcome{}, err
	}
	meter, err := startMeter(b)
	if err != nil {
		return Outcome{}, err
	}
	during := newTraffic(b.loop, healthy, s.users, s.rate, 0, s.limit)
	took, err := s.catchUp(others, stock, during, peak)
	if err != nil {
		return Outcome{}, err
	}
	used, err := meter.read()
	if err != nil {
		return Outcome{}, err
	}
	if err := errors.Join(b.Collect(), b.loop.Run(s.before), peak.look(), others.do(askQuiet)); err != nil {
		return Outcome{}, err
	}
	values := map[string]float64{
		resumeSeconds: took.Seconds(),
		rssGrowth:     float64(peak.highest - peak.first),
		rssAfter:      float64(peak.last - peak.first),
		p99Before:     milliseconds(before.latencies, 0.99),
		maxBefore:     milliseconds(before.latencies, 1),
		p99During:     milliseconds(during.latencies, 0.99),
		maxDuring:     milliseconds(during.latencies, 1),
		healthyLost:   float64(during.sent - during.unique),
		repeatedCount: float64(during.repeated),
		serverSeconds: used.server.Seconds(),
	}
	used.record(values, "")
	return Outcome{Values: values}, nil
}

// catchUp has the others connect while the healthy have their traffic, and returns how long it took until all had everything.
func (s *resume) catchUp(others *holder, stock system.Stock, healthy *traffic, peak *peak) (took time.Duration, err error) {
	done := make(chan error, 1)
	start := time.Now()
	go func() {
		err := others.do(fmt.Sprintf("%s %d %d", askCatchUp, stock.Each, stock.Read))
		took = time.Since(start)
		done <- err
	}()
	var failed error
	healthy.stop = func() bool {
		select {
		case failed = <-done:
			return true
		default:
			failed = peak.look()
			return failed != nil
		}
	}
	err = healthy.runCalmly()
	return took, errors.Join(err, failed)
}

func (s *resume) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "", "Users", "Time, s", "Memory", "after it", "Others' wait before, ms", "meanwhile", "Server, CPU s")
	t.Title = s.Title()
	for _, sys := range f.Measured() {
		cell := t.cell(resumeCase, sys)
		seconds, ok := cell.Median(resumeSeconds)
		if !ok {
			continue
		}
		t.row(sys, report.Count(s.users), report.Figure(seconds), size(cell, rssGrowth), size(cell, rssAfter),
			waitText(cell, p99Before, maxBefore), waitText(cell, p99During, maxDuring), t.figure(resumeCase, sys, serverSeconds))
		if lost, _ := cell.Max(healthyLost); lost > 0 {
			t.note("%s messages to the others lost", report.Count(int(lost)))
		}
		if repeated, _ := cell.Max(repeatedCount); repeated > 0 {
			t.note("%s messages to the others repeated", report.Count(int(repeated)))
		}
	}
	return []report.Table{t.Table}
}
