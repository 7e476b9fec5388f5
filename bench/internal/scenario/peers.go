package scenario

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/stats"
	"github.com/parley-rt/parley/bench/internal/system"
)

// peers measures the latency of messages from user to user at fixed rates, and which rates a system can hold.
type peers struct {
	users   int
	rates   []int
	slow    []int         // the rates for slow systems
	shown   []int         // those that the tables have a column for
	p99     time.Duration // above it a rate is not held
	warm    time.Duration
	measure time.Duration
	quiet   time.Duration
	late    time.Duration
}

func newPeers(quick bool) *peers {
	if quick {
		rates := []int{500, 2000, 8000}
		return &peers{
			users: 50, rates: rates, slow: rates, shown: rates, p99: time.Second,
			warm: 100 * time.Millisecond, measure: 400 * time.Millisecond, quiet: time.Second, late: 2 * time.Second,
		}
	}
	return &peers{
		users: 200,
		rates: []int{2000, 8000, 32000, 64000, 128000, 160000, 192000, 256000},
		slow:  []int{500, 2000, 8000, 32000},
		shown: []int{8000, 32000, 64000, 128000},
		p99:   50 * time.Millisecond,
		warm:  500 * time.Millisecond, measure: 3 * time.Second, quiet: 2 * time.Second, late: 10 * time.Second,
	}
}

const (
	peersBytes = 128
	ladder     = "ladder"
	keptLadder = "ladder, keeping messages"

	heldRate      = "held"
	cpuPerMessage = "cpu_us_per_message"
)

// The metrics at one rate.
func atRate(metric string, rate int) string { return fmt.Sprintf("%s@%d", metric, rate) }

func (s *peers) Name() string { return "p2p" }

func (s *peers) Title() string { return "Peer to peer" }

func (s *peers) About() string {
	return fmt.Sprintf(`%d users, each on a connection of its own, send each other JSON messages of %d bytes at a fixed total rate, for %s of warming up and %s of measuring.
The rate does not wait for the server. A message's latency runs from the moment it was *due* to be sent, so a server that holds up the sender does not hide its delay.
A rate is *held* when the 99th percentile is below %s and every message arrived, at the latest %s after the last was sent; the rates rise until one is not held, at the second try where only the latency was too high: %s (where the system is slow: %s). The tables show some of them.
The second table is the server's processor time per message, reading and relaying it.`, s.users, peersBytes, report.Span(s.warm), report.Span(s.measure), report.Span(s.p99), report.Span(s.late), counts(s.rates), counts(s.slow))
}

// counts lists numbers.
func counts(numbers []int) string {
	var texts []string
	for _, n := range numbers {
		texts = append(texts, report.Count(n))
	}
	return strings.Join(texts, "; ")
}

func (s *peers) Runs(wanted int) int { return wanted }

func (s *peers) Cases() []Case {
	return []Case{
		{Name: ladder, Run: s.run},
		{Name: keptLadder, Only: parleys, Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
			return onKept(ctx, sys, env, nil, func(b *bench) (Outcome, error) { return s.ascend(b, s.rates) })
		}},
	}
}

func (s *peers) run(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
	rates := s.rates
	if sys.Slow {
		rates = s.slow
	}
	return on(ctx, sys, env, func(b *bench) (Outcome, error) { return s.ascend(b, rates) })
}

func (s *peers) ascend(b *bench, rates []int) (Outcome, error) {
	users, err := b.dialUsers(0, s.users)
	if err != nil {
		return Outcome{}, err
	}
	return s.climb(b, users, rates)
}

// climb tries the rates until one is not held. One that is not held only for its latency is tried once more: a stall of the machine
// would otherwise end the climb for good.
func (s *peers) climb(b *bench, users []*load.Conn, rates []int) (Outcome, error) {
	outcome := Outcome{Values: map[string]float64{heldRate: 0}}
	for _, rate := range rates {
		t, err := s.try(b, users, rate, outcome.Values)
		if err == nil && !s.held(t) && t.unique == t.sent {
			t, err = s.try(b, users, rate, outcome.Values)
		}
		if t.failure != nil {
			outcome.Note = fmt.Sprintf("at %s/s: %v", report.Count(rate), t.failure)
			break
		}
		if err != nil {
			return outcome, err
		}
		if !s.held(t) {
			break
		}
		outcome.Values[heldRate] = float64(rate)
	}
	return outcome, nil
}

// try sends at one rate and records the figures.
func (s *peers) try(b *bench, users []*load.Conn, rate int, values map[string]float64) (*traffic, error) {
	t := newTraffic(b.loop, users, 0, rate, s.warm, s.measure)
	used, err := s.measureRate(b, t)
	if err == nil {
		s.record(values, t, used)
	}
	return t, err
}

func (s *peers) measureRate(b *bench, t *traffic) (usage, error) {
	meter, err := startMeter(b)
	if err != nil {
		return usage{}, err
	}
	if err := t.run(); err != nil {
		return usage{}, err
	}
	used, err := meter.read()
	if err != nil {
		return usage{}, err
	}
	return used, t.await(s.quiet, s.late)
}

func (s *peers) record(values map[string]float64, t *traffic, used usage) {
	set := func(metric string, v float64) { values[atRate(metric, t.rate)] = v }
	set("p50", milliseconds(t.latencies, 0.5))
	set("p99", milliseconds(t.latencies, 0.99))
	set("max", milliseconds(t.latencies, 1))
	set(lostCount, float64(t.sent-t.unique))
	set(repeatedCount, float64(t.repeated))
	set(cpuPerMessage, float64(used.server.Nanoseconds())/1e3/float64(t.sent))
	used.record(values, atRate("", t.rate))
}

func (s *peers) held(t *traffic) bool {
	return t.unique == t.sent && milliseconds(t.latencies, 0.99) < float64(s.p99.Milliseconds())
}

func milliseconds(latencies *stats.Quantiles, p float64) float64 {
	return float64(latencies.At(p)) / 1e3
}

func (s *peers) Tables(f *result.File) []report.Table {
	return []report.Table{s.latencyTable(f), s.costTable(f)}
}

func (s *peers) latencyTable(f *result.File) report.Table {
	t := newComparison(f, s.Name(), s.columns("Held, messages/s")...)
	t.Title = "Peer to peer: p50 / p99 / max in ms"
	base, _ := t.base(ladder).Median(heldRate)
	for sys, name := range s.rows(f) {
		cell := t.cell(name, sys)
		median, ok := cell.Median(heldRate)
		if !ok {
			t.missing(sys)
			continue
		}
		t.row(sys, append([]string{heldText(sys, median, base)}, s.latencies(cell)...)...)
		if highest := s.rates[len(s.rates)-1]; int(median) == highest {
			t.note("%s holds the highest rate that is tried", sys.Title)
		}
		s.remark(t, sys, cell)
	}
	return t.Table
}

// rows yields the rows of the tables, a system as they call it, and the case of each.
func (s *peers) rows(f *result.File) iter.Seq2[result.System, string] {
	return func(yield func(result.System, string) bool) {
		for _, sys := range f.Measured() {
			if !yield(sys, ladder) {
				return
			}
			if len(f.Cell(s.Name(), keptLadder, sys.Name)) == 0 {
				continue
			}
			sys.Title += ", keeping messages"
			if !yield(sys, keptLadder) {
				return
			}
		}
	}
}

func (s *peers) costTable(f *result.File) report.Table {
	t := newComparison(f, s.Name(), s.columns()...)
	t.Title = "Peer to peer: CPU µs per message"
	for sys, name := range s.rows(f) {
		var cells []string
		for _, rate := range s.shown {
			cells = append(cells, t.figure(name, sys, atRate(cpuPerMessage, rate)))
		}
		t.row(sys, cells...)
	}
	return t.Table
}

// columns are one for the system, the given ones, and one for each rate that is shown.
func (s *peers) columns(more ...string) []string {
	columns := append([]string{"System"}, more...)
	for _, rate := range s.shown {
		columns = append(columns, report.Count(rate)+"/s")
	}
	return columns
}

func heldText(sys result.System, held, base float64) string {
	if sys.Name == baseline {
		return report.Count(int(held))
	}
	return report.WithRatio(report.Count(int(held)), held, base)
}

func (s *peers) latencies(cell result.Cell) []string {
	var texts []string
	for _, rate := range s.shown {
		texts = append(texts, latencyText(cell, rate))
	}
	return texts
}

func latencyText(cell result.Cell, rate int) string {
	var parts []string
	for _, metric := range []string{"p50", "p99", "max"} {
		v, ok := cell.Median(atRate(metric, rate))
		if !ok {
			return report.None
		}
		parts = append(parts, report.Figure(v))
	}
	return strings.Join(parts, " / ")
}

func (s *peers) remark(t *comparison, sys result.System, cell result.Cell) {
	if note := cell.Note(); note != "" {
		t.note("%s, %s", sys.Title, note)
	}
	for _, rate := range s.rates {
		if lost, _ := cell.Max(atRate(lostCount, rate)); lost > 0 {
			t.note("%s at %s/s: up to %s messages lost or too late", sys.Title, report.Count(rate), report.Count(int(lost)))
		}
		if repeated, _ := cell.Max(atRate(repeatedCount, rate)); repeated > 0 {
			t.note("%s at %s/s: up to %s messages repeated", sys.Title, report.Count(rate), report.Count(int(repeated)))
		}
		limitedByLoad(t, sys, report.Count(rate)+"/s", cell, atRate("", rate))
	}
}
