// Package scenario holds what is measured. A scenario is a type with a few cases, each of which runs on one system at a time,
// and the tables that its figures go to; All lists them.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// cellLimit bounds what a case may take on one system; every wait within it has a smaller limit of its own.
const cellLimit = 5 * time.Minute

// Scenario is one kind of measurement.
type Scenario interface {
	Name() string
	Title() string
	// About tells in Markdown how the figures are got.
	About() string
	Cases() []Case
	// Runs says how many of the wanted runs this scenario makes.
	Runs(wanted int) int
	Tables(f *result.File) []report.Table
}

// Case is the unit that the systems take turns at.
type Case struct {
	Name string
	Only []string // the names of the systems it is for; none for all
	Run  func(context.Context, *system.System, *system.Env) (Outcome, error)
}

// For says whether the case is for a system.
func (c *Case) For(system string) bool { return len(c.Only) == 0 || slices.Contains(c.Only, system) }

// Outcome is what a case gave for one system.
type Outcome struct {
	Values map[string]float64
	Note   string
}

// Options choose among the variants of the scenarios.
type Options struct {
	Quick bool
	Sizes []int // the receivers of the fan-out; none for its own choice
}

// All are the scenarios in the order of the report.
func All(o Options) []Scenario {
	return []Scenario{
		newIdle(o.Quick), newCrowd(o.Quick), newConnect(o.Quick), newFanout(o.Quick, o.Sizes), newPublishers(o.Quick), newSpread(o.Quick),
		newPeers(o.Quick), newKept(o.Quick), newOverload(o.Quick), newResume(o.Quick), newReopen(o.Quick), newSlow(o.Quick), newProfile(o.Quick),
	}
}

// Names are those of all scenarios.
func Names() []string {
	var names []string
	for _, s := range All(Options{}) {
		names = append(names, s.Name())
	}
	return names
}

// Select returns the scenarios of a comma-separated list of names, all of them for an empty one.
func Select(names string, o Options) ([]Scenario, error) {
	all := All(o)
	if names == "" {
		return all, nil
	}
	known := Names()
	wanted := strings.Split(names, ",")
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown scenario %q; known are %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(all, func(s Scenario) bool { return !slices.Contains(wanted, s.Name()) }), nil
}

// bench is a fresh server and a load generator for it.
type bench struct {
	*system.Instance
	loop *load.Loop
	to   load.Target
}

// onKept runs measure with a fresh server of a system that keeps messages, with more arguments.
func onKept(ctx context.Context, sys *system.System, env *system.Env, args []string, measure func(*bench) (Outcome, error)) (Outcome, error) {
	with := *env
	with.CaseArgs = args
	return on(ctx, sys.Keeping(), &with, measure)
}

// onLibrary runs measure with a fresh server that uses Parley as a library, whose clients connect at the given prefix and their name.
func onLibrary(ctx context.Context, env *system.Env, prefix string, measure func(*bench) (Outcome, error)) (Outcome, error) {
	if err := system.Library.Prepare(ctx, env); err != nil {
		return Outcome{}, err
	}
	return on(ctx, system.Library, env, func(b *bench) (Outcome, error) {
		b.to.Dialect = dialect.Mounted{Prefix: prefix}
		return measure(b)
	})
}

// on runs measure with a fresh server and ends the server after it.
func on(ctx context.Context, sys *system.System, env *system.Env, measure func(*bench) (Outcome, error)) (Outcome, error) {
	loop, err := load.New(ctx, cellLimit)
	if err != nil {
		return Outcome{}, err
	}
	instance, err := sys.Start(ctx, env)
	if err != nil {
		return Outcome{}, errors.Join(err, loop.Close())
	}
	b := &bench{Instance: instance, loop: loop, to: load.Target{Addr: instance.Addr, Dialect: sys.Dialect}}
	outcome, err := measure(b)
	if err != nil && b.Exited() {
		err = fmt.Errorf("the server ended: %s: %w", b.Log(), err)
	}
	return outcome, errors.Join(err, loop.Close(), instance.Stop())
}
