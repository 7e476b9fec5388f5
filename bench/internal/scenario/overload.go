package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// overload measures what becomes of kept messages when more are offered than a server can take.
type overload struct {
	users, senders, window int
	rates                  []int
	lasting                time.Duration
	quiet, limit           time.Duration // how long nothing may come in the end, and how long all of that may take
}

func newOverload(quick bool) *overload {
	if quick {
		return &overload{users: 20, senders: 4, window: 64, rates: []int{8000}, lasting: 400 * time.Millisecond, quiet: 2 * time.Second, limit: 5 * time.Second}
	}
	return &overload{
		users: 200, senders: 32, window: 256, rates: []int{64_000, 128_000, 256_000},
		lasting: 10 * time.Second, quiet: 5 * time.Second, limit: time.Minute,
	}
}

const (
	offeredRate     = "offered_per_s"
	acceptedRate    = "accepted_per_s"
	heldBackCount   = "held_back"
	refusedCount    = "refused"
	acceptedCount   = "accepted"
	deliveredCount  = "delivered"
	disorderedCount = "disordered"
	unknownCount    = "delivered_though_refused"
	unsettledCount  = "unanswered"
	toldCount       = "told"
	closedCount     = "closed"
	rssPeak         = "rss_peak"
	drainSeconds    = "drain_s"
)

func (s *overload) Name() string { return "overload" }

func (s *overload) Title() string { return "More messages than a server can take" }

func (s *overload) About() string {
	return fmt.Sprintf(`%d senders offer JSON messages of %d bytes to %d users for %s, at a fixed rate in all, and are told what becomes of each; a sender has %[5]d in flight at most and holds back the rest. The server keeps the messages on disk.
*Online*, the users are connected, read all the time and answer pings; a user whose connection the server ends connects again. *Offline*, they never were. The rates are those of these %[4]s. Then nothing more is offered, and the users get what there is for them, for as long as something comes within %[6]s, and once more on a new connection if something lacks.
*Lost* is what was accepted and never came. *Peak* is the server's resident memory at its highest, *growth* how far that is above what it was with everybody connected. *Online ÷ offline* compares the accepted messages.`,
		s.senders, peersBytes, s.users, report.Span(s.lasting), s.window, report.Span(s.quiet))
}

func (s *overload) Runs(wanted int) int { return wanted }

// overloadCase is the name of a case.
func overloadCase(rate int, online bool) string {
	if online {
		return report.Count(rate) + "/s, online"
	}
	return report.Count(rate) + "/s, offline"
}

func (s *overload) Cases() []Case {
	var cases []Case
	for _, rate := range s.rates {
		for _, online := range []bool{false, true} {
			cases = append(cases, Case{Name: overloadCase(rate, online), Only: parleys, Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
				return onKept(ctx, sys, env, nil, func(b *bench) (Outcome, error) { return s.measure(b, rate, online) })
			}})
		}
	}
	return cases
}

func (s *overload) measure(b *bench, rate int, online bool) (Outcome, error) {
	f, err := s.prepare(b, online)
	if err != nil {
		return Outcome{}, err
	}
	if err := b.Collect(); err != nil {
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
	offered, err := f.run(rate, s.lasting, peak.look)
	if err != nil {
		return Outcome{}, err
	}
	used, err := meter.read()
	if err != nil {
		return Outcome{}, err
	}
	values := map[string]float64{
		offeredRate:         float64(offered) / used.elapsed.Seconds(),
		acceptedRate:        float64(f.accepted) / used.elapsed.Seconds(),
		heldBackCount:       float64(offered - f.sent),
		serverBusy:          used.cores(used.server),
		loadBusy:            used.cores(used.self),
		OthersBusy:          max(0, used.cores(used.busy-used.server-used.self)),
		rssPeak + "_at_end": float64(peak.highest),
	}
	stopped := b.loop.Now()
	if err := f.settle(s.quiet, s.limit, peak.look); err != nil {
		return Outcome{}, err
	}
	values[drainSeconds] = (f.moved - stopped).Seconds()
	values[rssPeak], values[rssGrowth] = float64(peak.highest), float64(peak.highest-peak.first)
	f.record(values)
	return Outcome{Values: values, Note: f.note()}, nil
}

// prepare connects the senders, and the users if they are to be online.
func (s *overload) prepare(b *bench, online bool) (*flood, error) {
	senders, err := b.dialAsking(s.senders)
	if err != nil || !online {
		return newFlood(b.loop, senders, nil, s.users, s.window), err
	}
	users, err := b.dialUsers(0, s.users)
	f := newFlood(b.loop, senders, users, s.users, s.window)
	f.reopen = b.dialUsersAgain
	return f, err
}

// record puts what became of the messages into values.
func (f *flood) record(values map[string]float64) {
	for metric, n := range map[string]int{
		acceptedCount: f.accepted, deliveredCount: f.delivered, lostCount: f.owed, repeatedCount: f.repeated, disorderedCount: f.disordered,
		unknownCount: f.unknown, unsettledCount: f.unsettled, toldCount: f.told, refusedCount: sum(f.refused), closedCount: sum(f.closed),
	} {
		values[metric] = float64(n)
	}
	if f.reopen == nil { // there was nobody to get anything
		delete(values, lostCount)
	}
}

// note tells what senders and users were told, and how often.
func (f *flood) note() string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(f.refused)) {
		parts = append(parts, fmt.Sprintf("%s times %s", report.Count(f.refused[code]), code))
	}
	for _, ending := range slices.Sorted(maps.Keys(f.closed)) {
		parts = append(parts, fmt.Sprintf("%s users %s", report.Count(f.closed[ending]), ending))
	}
	if f.told > 0 {
		parts = append(parts, fmt.Sprintf("users were told %s times, first %.200s", report.Count(f.told), f.toldFirst))
	}
	return strings.Join(parts, "; ")
}

func sum(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

func (s *overload) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "", "Accepted/s", "Held back", "Refused", "Lost", "Repeated", "Disordered", "Drained, s", "Peak", "Growth", "Online ÷ offline")
	t.Title = s.Title()
	for _, sys := range f.Measured() {
		for _, rate := range s.rates {
			offline, _ := f.Cell(s.Name(), overloadCase(rate, false), sys.Name).Median(acceptedRate)
			s.row(t, sys, overloadCase(rate, false), 0)
			s.row(t, sys, overloadCase(rate, true), offline)
		}
	}
	return []report.Table{t.Table}
}

// row compares with what is accepted of users who are offline, if that is given.
func (s *overload) row(t *comparison, sys result.System, name string, offline float64) {
	cell := t.cell(name, sys)
	accepted, ok := cell.Median(acceptedRate)
	if !ok {
		return
	}
	most := func(metric string) string {
		n, ok := cell.Max(metric)
		if !ok {
			return report.None
		}
		return report.Count(int(n))
	}
	drained, _ := cell.Median(drainSeconds)
	sys.Title += ", " + name
	t.row(sys, report.Figure(accepted), most(heldBackCount), most(refusedCount), most(lostCount), most(repeatedCount), most(disorderedCount),
		report.Figure(drained), size(cell, rssPeak), size(cell, rssGrowth), report.Ratio(accepted, offline))
	if note := cell.Note(); note != "" {
		t.note("%s: %s", sys.Title, note)
	}
	for metric, text := range map[string]string{unsettledCount: "messages never answered", unknownCount: "messages delivered whose senders were told of an error"} {
		if n, _ := cell.Max(metric); n > 0 {
			t.note("%s: %s %s", sys.Title, report.Count(int(n)), text)
		}
	}
}
