package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/scenario"
	"github.com/parley-rt/parley/bench/internal/system"
)

// session is one measurement: all selected scenarios on all selected systems, as often as wanted.
type session struct {
	scenarios []scenario.Scenario
	systems   []*system.System // those that can be measured
	env       *system.Env
	file      *result.File
	fileName  string
	log       *log.Logger
}

// measure runs a session and reports on it.
func measure(ctx context.Context, o options) error {
	s, err := newSession(o)
	if err != nil {
		return err
	}
	if err := s.record(ctx, o.runs); err != nil {
		return err
	}
	s.log.Printf("results are in %s", s.fileName)
	return publish(s.file, s.scenarios, o.out, os.Stdout)
}

// record measures everything and removes what it built.
func (s *session) record(ctx context.Context, runs int) error {
	defer os.RemoveAll(s.env.Temp)
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := s.run(ctx, runs); err != nil {
		return fmt.Errorf("%w; go on with -resume %s", err, s.fileName)
	}
	return nil
}

func newSession(o options) (*session, error) {
	scenarios, err := scenario.Select(o.only, scenario.Options{Quick: o.quick, Sizes: o.sizes})
	if err != nil {
		return nil, err
	}
	systems, err := systemsOf(o)
	if err != nil {
		return nil, err
	}
	file, name, err := openResults(o, scenarios)
	if err != nil {
		return nil, err
	}
	env, err := newEnv(o)
	if err != nil {
		return nil, err
	}
	logger := log.New(os.Stderr, "", log.Ltime)
	return &session{scenarios: scenarios, systems: systems, env: env, file: file, fileName: name, log: logger}, nil
}

// systemsOf are those that the command line asks for.
func systemsOf(o options) ([]*system.System, error) {
	if o.against == "" {
		return system.Select(o.systems)
	}
	binary, err := filepath.Abs(o.against)
	if err != nil {
		return nil, fmt.Errorf("find the earlier build: %w", err)
	}
	names := o.systems
	if names == "" {
		names = system.Parley.Name
	}
	systems, err := system.Select(names)
	return append(systems, system.Earlier(binary)), err
}

func newEnv(o options) (*system.Env, error) {
	bench, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the bench folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(bench, "servers")); err != nil {
		return nil, fmt.Errorf("run this in the bench folder: %w", err)
	}
	temp, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	return &system.Env{Bench: bench, Temp: temp, Core: o.serverCore, ParleyArgs: strings.Fields(o.parleyArgs)}, nil
}

// openResults begins a results file, or takes up an interrupted one.
func openResults(o options, scenarios []scenario.Scenario) (*result.File, string, error) {
	if o.resume != "" {
		file, err := result.Load(o.resume)
		return file, o.resume, err
	}
	if err := os.MkdirAll(o.results, 0o755); err != nil {
		return nil, "", fmt.Errorf("make the results folder: %w", err)
	}
	file := &result.File{
		Started:    time.Now().UTC().Truncate(time.Second),
		Command:    command(),
		Machine:    proc.Describe(),
		ServerCore: o.serverCore,
		LoadCore:   o.loadCore,
		Quick:      o.quick,
		Runs:       o.runs,
		Sizes:      o.sizes,
	}
	for _, s := range scenarios {
		file.Scenarios = append(file.Scenarios, s.Name())
	}
	return file, filepath.Join(o.results, file.Started.Format("20060102-150405")+".json"), nil
}

// prepare builds the systems and drops those that cannot be measured here.
func (s *session) prepare(ctx context.Context) error {
	var ready []*system.System
	s.file.Systems = nil
	for _, sys := range s.systems {
		entry := result.System{Name: sys.Name, Title: sys.Title}
		err := sys.Prepare(ctx, s.env)
		switch {
		case errors.Is(err, system.ErrMissing):
			entry.Skipped = err.Error()
			s.log.Printf("%s is left out: %v", sys.Name, err)
		case err != nil:
			return err
		default:
			if entry.Version, err = sys.Version(ctx, s.env); err != nil {
				return err
			}
			ready = append(ready, sys)
		}
		s.file.Systems = append(s.file.Systems, entry)
	}
	s.systems = ready
	return s.file.Save(s.fileName)
}

// run lets the systems take turns at every case, and begins each round of turns with another system.
func (s *session) run(ctx context.Context, runs int) error {
	for n := range runs {
		for _, sc := range s.scenarios {
			if n >= sc.Runs(runs) {
				continue
			}
			for _, c := range sc.Cases() {
				if err := s.round(ctx, n, sc, c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *session) round(ctx context.Context, n int, sc scenario.Scenario, c scenario.Case) error {
	for i := range s.systems {
		sys := s.systems[(i+n)%len(s.systems)]
		if !c.For(sys.Name) || s.file.Has(sc.Name(), c.Name, sys.Name, n) {
			continue
		}
		sample := s.sample(ctx, n, sc, c, sys)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.file.Samples = append(s.file.Samples, sample)
		if err := s.file.Save(s.fileName); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) sample(ctx context.Context, n int, sc scenario.Scenario, c scenario.Case, sys *system.System) result.Sample {
	sample := result.Sample{Scenario: sc.Name(), Case: c.Name, System: sys.Name, Run: n}
	outcome, err := c.Run(ctx, sys, s.env)
	if err != nil {
		sample.Error = err.Error()
	} else {
		sample.Values, sample.Note = outcome.Values, outcome.Note
	}
	s.log.Printf("run %d, %s, %s, %s: %s", n+1, sc.Name(), c.Name, sys.Name, brief(sample))
	return sample
}

func brief(sample result.Sample) string {
	if sample.Error != "" {
		return "no figures: " + sample.Error
	}
	var parts []string
	for _, metric := range slices.Sorted(maps.Keys(sample.Values)) {
		parts = append(parts, metric+" "+report.Figure(sample.Values[metric]))
	}
	if sample.Note != "" {
		parts = append(parts, sample.Note)
	}
	return strings.Join(parts, ", ")
}
