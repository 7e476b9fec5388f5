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
	Run  func(context.Context, *system.System, *system.Env) (Outcome, error)
}

// Outcome is what a case gave for one system.
type Outcome struct {
	Values map[string]float64
	Note   string
}

// All are the scenarios in the order of the report, in full or in quick size.
func All(quick bool) []Scenario {
	return []Scenario{newIdle(quick), newFanout(quick), newPeers(quick), newSlow(quick)}
}

// Select returns the scenarios of a comma-separated list of names, all of them for an empty one.
func Select(names string, quick bool) ([]Scenario, error) {
	all := All(quick)
	if names == "" {
		return all, nil
	}
	var known []string
	for _, s := range all {
		known = append(known, s.Name())
	}
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
