package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
	"github.com/parley-rt/parley/bench/internal/scenario"
	"github.com/parley-rt/parley/bench/internal/stats"
)

// reportOn makes tables and document from a results file.
func reportOn(o options) error {
	file, err := result.Load(o.report)
	if err != nil {
		return err
	}
	scenarios, err := scenario.Select(strings.Join(file.Scenarios, ","), scenario.Options{Quick: file.Quick, Sizes: file.Sizes})
	if err != nil {
		return err
	}
	return publish(file, scenarios, o.out, os.Stdout)
}

// publish prints the tables, and writes the document to the file named out unless that is "-".
func publish(file *result.File, scenarios []scenario.Scenario, out string, tables io.Writer) error {
	sections := sectionsOf(file, scenarios)
	if err := report.WriteTables(tables, sections); err != nil {
		return err
	}
	if out == "-" {
		return nil
	}
	var document strings.Builder
	if err := report.WriteDocument(&document, file, noiseOf(file), sections); err != nil {
		return err
	}
	if err := os.WriteFile(out, []byte(document.String()), 0o644); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// sectionsOf leaves out what none of the systems was measured at.
func sectionsOf(file *result.File, scenarios []scenario.Scenario) []report.Section {
	var sections []report.Section
	for _, s := range scenarios {
		tables := s.Tables(file)
		if slices.ContainsFunc(tables, func(t report.Table) bool { return len(t.Rows) > 0 }) {
			sections = append(sections, report.Section{Title: s.Title(), About: s.About(), Tables: tables})
		}
	}
	return sections
}

// noiseOf gathers what other processes did during all timed measurements.
func noiseOf(file *result.File) report.Noise {
	var busy []float64
	for _, sample := range file.Samples {
		for metric, v := range sample.Values {
			if strings.HasPrefix(metric, scenario.OthersBusy) {
				busy = append(busy, v)
			}
		}
	}
	if len(busy) == 0 {
		return report.Noise{}
	}
	return report.Noise{Median: stats.Median(busy), Max: slices.Max(busy), Known: true}
}
