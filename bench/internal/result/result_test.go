package result_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/parley-rt/parley/bench/internal/result"
)

func file() *result.File {
	sample := func(run int, v float64) result.Sample {
		return result.Sample{Scenario: "s", Case: "c", System: "a", Run: run, Values: map[string]float64{"m": v}}
	}
	return &result.File{
		Runs:    3,
		Systems: []result.System{{Name: "a"}, {Name: "b", Skipped: "missing"}},
		Samples: []result.Sample{
			sample(0, 5), sample(1, 1), sample(2, 3),
			{Scenario: "s", Case: "c", System: "a", Run: 3, Error: "why", Note: "first"},
			{Scenario: "s", Case: "c", System: "a", Run: 4, Error: "why", Note: "second"},
		},
	}
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "results.json")
	want := file()
	if err := want.Save(name); err != nil {
		t.Fatal(err)
	}
	got, err := result.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := result.Load(name + ".other"); err == nil {
		t.Error("a file that is not there was loaded")
	}
}

func TestCell(t *testing.T) {
	t.Parallel()
	cell := file().Cell("s", "c", "a")
	if median, ok := cell.Median("m"); !ok || median != 3 {
		t.Errorf("median %v, %v; want 3", median, ok)
	}
	if largest, ok := cell.Max("m"); !ok || largest != 5 {
		t.Errorf("largest %v, %v; want 5", largest, ok)
	}
	if _, ok := cell.Median("other"); ok {
		t.Error("there is a median of a metric that nobody measured")
	}
	if got := cell.Errors(); len(got) != 1 || got[0] != "why" {
		t.Errorf("errors %q", got)
	}
	if got := cell.Note(); got != "first" {
		t.Errorf("note %q", got)
	}
}

func TestHasAndMeasured(t *testing.T) {
	t.Parallel()
	f := file()
	if !f.Has("s", "c", "a", 2) || f.Has("s", "c", "a", 9) || f.Has("s", "c", "b", 2) {
		t.Error("Has does not tell what there is")
	}
	if got := f.Measured(); len(got) != 1 || got[0].Name != "a" {
		t.Errorf("measured are %v", got)
	}
	if len(f.Systems) != 2 {
		t.Error("Measured changed the systems")
	}
}
