package report_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
)

func TestFigure(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 0.0283: "0.028", 0.137: "0.14", 5.4: "5.40", 9.996: "10.0", 42.3: "42.3", 999: "999", 9994: "9994", 12345: "12.3k", 999499: "999k", 3.75e6: "3.75M",
		-2: "-2.00", math.Inf(1): report.None,
	} {
		if got := report.Figure(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -123: "-123", -1234: "-1,234"} {
		if got := report.Count(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

func TestBytesAndRatio(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{320: "320 B", 18100: "18.1 KB", 1.17e8: "117 MB"} {
		if got := report.Bytes(v); got != want {
			t.Errorf("%v: got %q, want %q", v, got, want)
		}
	}
	if got := report.WithRatio("6.2", 6.2, 0.19); got != "6.2 (32.6×)" {
		t.Errorf("got %q", got)
	}
	if got := report.WithRatio("6.2", 6.2, math.NaN()); got != "6.2" {
		t.Errorf("without a base: got %q", got)
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{30 * time.Second: "30 s", 50 * time.Millisecond: "50 ms", 1500 * time.Millisecond: "1500 ms"} {
		if got := report.Span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func table() report.Table {
	return report.Table{
		Title:   "Title",
		Columns: []string{"System", "µs"},
		Rows:    [][]string{{"a|b", "1"}, {"long name", "10,000"}},
		Notes:   []string{"x < y"},
	}
}

func TestTableAsText(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := table().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := "\nTitle\nSystem         µs\na|b             1\nlong name  10,000\n  x < y\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTableAsMarkdown(t *testing.T) {
	t.Parallel()
	want := "| System | µs |\n|---|---:|\n| a\\|b | 1 |\n| long name | 10,000 |\n\n- x &lt; y\n"
	if got := table().Markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	f := &result.File{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Command: "go run . -runs 3", Machine: "a machine", LoadCore: 1, Runs: 3,
		Systems: []result.System{{Name: "a", Title: "A", Version: "v1"}, {Name: "b", Title: "B", Skipped: "not installed"}},
	}
	first := table()
	first.Title = "First"
	sections := []report.Section{
		{Title: "Part", About: "How it is done.", Tables: []report.Table{table()}},
		{Title: "Other part", About: "In two tables.", Tables: []report.Table{first, table()}},
	}
	var b strings.Builder
	if err := report.WriteDocument(&b, f, report.Noise{Median: 0.1, Max: 0.5, Known: true}, sections); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"go run . -runs 3", "a machine. 2 January 2026.", "bound to core 0, the load generator to core 1", "**Runs**: 3 (memory",
		"used 0.10 cores", "| A | v1 |", "| B | not measured: not installed |", "## Part\n\nHow it is done.\n\n| System | µs |", "**First**\n\n| System", "## How to read this",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the document does not hold %q", want)
		}
	}
	for _, unwanted := range []string{"quick trial", "too much"} {
		if strings.Contains(b.String(), unwanted) {
			t.Errorf("the document of a full measurement on a quiet machine holds %q", unwanted)
		}
	}
}
