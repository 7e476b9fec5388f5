// Package result keeps what was measured, in a file that a report can be made from again.
package result

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/parley-rt/parley/bench/internal/stats"
)

// Sample is what one run of one case of a scenario gave for one system.
type Sample struct {
	Scenario string             `json:"scenario"`
	Case     string             `json:"case"`
	System   string             `json:"system"`
	Run      int                `json:"run"`
	Values   map[string]float64 `json:"values,omitempty"`
	Note     string             `json:"note,omitempty"`  // what else was seen
	Error    string             `json:"error,omitempty"` // why there are no values
}

// System says which systems were measured, and why one was not.
type System struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Version string `json:"version,omitempty"`
	Skipped string `json:"skipped,omitempty"`
}

// File is all that a report needs.
type File struct {
	Started    time.Time `json:"started"`
	Command    string    `json:"command"`
	Machine    string    `json:"machine"`
	ServerCore int       `json:"server_core"`
	LoadCore   int       `json:"load_core"`
	Quick      bool      `json:"quick"`
	Runs       int       `json:"runs"`
	Sizes      []int     `json:"sizes,omitempty"` // the receivers of the fan-out, where they were chosen
	Scenarios  []string  `json:"scenarios"`
	Systems    []System  `json:"systems"`
	Samples    []Sample  `json:"samples"`
}

// Load reads a file that Save wrote.
func Load(name string) (*File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	f := new(File)
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("read results %s: %w", name, err)
	}
	return f, nil
}

// Save writes the file whole or not at all.
func (f *File) Save(name string) error {
	text, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if err := os.WriteFile(name+".part", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.Rename(name+".part", name); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// Has says whether a sample is there already.
func (f *File) Has(scenario, name, system string, run int) bool {
	return slices.ContainsFunc(f.Samples, func(s Sample) bool {
		return s.Scenario == scenario && s.Case == name && s.System == system && s.Run == run
	})
}

// Measured are the systems that were not skipped.
func (f *File) Measured() []System {
	return slices.DeleteFunc(slices.Clone(f.Systems), func(s System) bool { return s.Skipped != "" })
}

// Cell is all samples of one system in one case.
type Cell []Sample

// Cell returns the samples of a system in a case of a scenario.
func (f *File) Cell(scenario, name, system string) Cell {
	var cell Cell
	for _, s := range f.Samples {
		if s.Scenario == scenario && s.Case == name && s.System == system {
			cell = append(cell, s)
		}
	}
	return cell
}

// Values are a metric's values in all runs that gave one.
func (c Cell) Values(metric string) []float64 {
	var values []float64
	for _, s := range c {
		if v, ok := s.Values[metric]; ok {
			values = append(values, v)
		}
	}
	return values
}

// Median is the median of a metric over the runs; ok is false when no run gave it.
func (c Cell) Median(metric string) (median float64, ok bool) {
	values := c.Values(metric)
	return stats.Median(values), len(values) > 0
}

// Max is the largest value of a metric over the runs; ok is false when no run gave it.
func (c Cell) Max(metric string) (largest float64, ok bool) {
	values := c.Values(metric)
	if len(values) == 0 {
		return 0, false
	}
	return slices.Max(values), true
}

// Note is the first run's note that is not empty.
func (c Cell) Note() string {
	for _, s := range c {
		if s.Note != "" {
			return s.Note
		}
	}
	return ""
}

// Errors are the different reasons why runs gave no values.
func (c Cell) Errors() []string {
	var reasons []string
	for _, s := range c {
		if s.Error != "" && !slices.Contains(reasons, s.Error) {
			reasons = append(reasons, s.Error)
		}
	}
	return reasons
}
