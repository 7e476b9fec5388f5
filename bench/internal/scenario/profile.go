package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-rt/parley/bench/internal/breakdown"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// profile tells where the server's time goes, by a CPU profile.
type profile struct {
	receivers, users int
	windows          []int
	rate             int
	length           time.Duration
}

func newProfile(quick bool) *profile {
	if quick {
		return &profile{receivers: 50, users: 50, windows: []int{1, 64}, rate: 4000, length: time.Second}
	}
	return &profile{receivers: 1000, users: 200, windows: []int{1, 64}, rate: 64000, length: 3 * time.Second}
}

const profileSamples = "samples"

// shareOf is the metric of a class.
func shareOf(class breakdown.Class) string { return "share, " + string(class) }

func (s *profile) Name() string { return "profile" }

func (s *profile) Title() string { return "Where the time goes" }

func (s *profile) About() string {
	return fmt.Sprintf(`A CPU profile of parley serve over %s of each situation, taken apart from the measurements above: the fan-out to %s receivers, and peer to peer at %s messages/s.
A sample in a system call is the kernel's, whatever called it, the network's way through it to the receiver's socket included; one in Go's own helpers, such as copying memory, is their caller's. With 100 samples a second a share is right to a few per cent.`,
		report.Span(s.length), report.Count(s.receivers), report.Count(s.rate))
}

func (s *profile) Runs(wanted int) int { return min(wanted, 3) }

// Cases have the titles of their columns for names.
func (s *profile) Cases() []Case {
	var cases []Case
	for _, window := range s.windows {
		cases = append(cases, s.situation(fmt.Sprintf("Fan-out, window %d", window), func(b *bench) (func() error, error) {
			return s.fanout(b, window)
		}))
	}
	return append(cases, s.situation("Peer to peer", s.peers))
}

// situation is a case; prepare connects and returns what makes the traffic for the length of a profile and some more.
func (s *profile) situation(name string, prepare func(*bench) (traffic func() error, err error)) Case {
	return Case{Name: name, Only: baselineOnly, Run: func(ctx context.Context, sys *system.System, env *system.Env) (Outcome, error) {
		return on(ctx, sys, env, func(b *bench) (Outcome, error) {
			traffic, err := prepare(b)
			if err != nil {
				return Outcome{}, err
			}
			return s.take(b, traffic)
		})
	}}
}

// margin is how much longer than the profile the traffic lasts.
const margin = 500 * time.Millisecond

func (s *profile) fanout(b *bench, window int) (func() error, error) {
	receivers, err := b.dial(s.receivers)
	if err != nil {
		return nil, err
	}
	cast := newBroadcast(b.loop, receivers, textMessage(fanoutBytes), window)
	return func() error {
		end := b.loop.Now() + s.length + margin
		if err := cast.sendUntil(func() bool { return b.loop.Now() >= end }); err != nil {
			return err
		}
		return cast.drain()
	}, nil
}

func (s *profile) peers(b *bench) (func() error, error) {
	users, err := b.dialUsers(0, s.users)
	if err != nil {
		return nil, err
	}
	return func() error {
		t := newTraffic(b.loop, users, 0, s.rate, 0, s.length+margin)
		if err := t.run(); err != nil {
			return err
		}
		return t.await(time.Second, stallLimit)
	}, nil
}

func (s *profile) take(b *bench, traffic func() error) (Outcome, error) {
	values := make(map[string]float64)
	profiled := make(chan error, 1)
	go func() {
		p, err := b.Profile(s.length)
		if err == nil {
			shares, samples := breakdown.Of(p)
			values[profileSamples] = float64(samples)
			for _, class := range breakdown.Classes() {
				values[shareOf(class)] = shares[class]
			}
		}
		profiled <- err
	}()
	err := traffic()
	if failure := <-profiled; failure != nil {
		return Outcome{}, failure
	}
	return Outcome{Values: values}, err
}

func (s *profile) Tables(f *result.File) []report.Table {
	t := newComparison(f, s.Name(), "")
	t.Title = s.Title()
	cells := make(map[string]result.Cell)
	for _, c := range s.Cases() {
		t.Columns = append(t.Columns, c.Name)
		cells[c.Name] = t.base(c.Name)
	}
	for _, class := range breakdown.Classes() {
		row := []string{string(class)}
		seen := false
		for _, c := range s.Cases() {
			share, ok := cells[c.Name].Median(shareOf(class))
			seen = seen || share > 0
			row = append(row, percent(share, ok))
		}
		if seen {
			t.Rows = append(t.Rows, row)
		}
	}
	return []report.Table{t.Table}
}

func percent(share float64, known bool) string {
	if !known {
		return report.None
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}
