package scenario

import (
	"fmt"
	"slices"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/system"
)

// comparison is a table with a row for each system, compared with the first one.
type comparison struct {
	report.Table
	file     *result.File
	scenario string
}

func newComparison(f *result.File, scenario string, columns ...string) *comparison {
	return &comparison{Table: report.Table{Columns: columns}, file: f, scenario: scenario}
}

// baseline is the system that the others are compared with.
const baseline = "parley"

// baselineOnly is for cases of Parley alone, and parleys for those of an earlier build too.
var (
	baselineOnly = []string{baseline}
	parleys      = []string{baseline, system.EarlierName}
)

func (t *comparison) base(name string) result.Cell {
	return t.file.Cell(t.scenario, name, baseline)
}

// cell returns the samples of a system, and notes once what went wrong in them.
func (t *comparison) cell(name string, sys result.System) result.Cell {
	cell := t.file.Cell(t.scenario, name, sys.Name)
	for _, reason := range cell.Errors() {
		t.note("%s, %s: %s", sys.Title, name, reason)
	}
	return cell
}

// figure is the median of a metric with its ratio to the baseline's.
func (t *comparison) figure(name string, sys result.System, metric string) string {
	median, ok := t.file.Cell(t.scenario, name, sys.Name).Median(metric)
	if !ok {
		return report.None
	}
	if sys.Name == baseline {
		return report.Figure(median)
	}
	base, _ := t.base(name).Median(metric)
	return report.WithRatio(report.Figure(median), median, base)
}

func (t *comparison) row(sys result.System, cells ...string) {
	t.Rows = append(t.Rows, append([]string{sys.Title}, cells...))
}

func (t *comparison) missing(sys result.System) {
	t.row(sys, slices.Repeat([]string{report.None}, len(t.Columns)-1)...)
}

func (t *comparison) note(format string, args ...any) {
	if note := fmt.Sprintf(format, args...); !slices.Contains(t.Notes, note) {
		t.Notes = append(t.Notes, note)
	}
}
