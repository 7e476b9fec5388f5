package scenario

import (
	"slices"
	"strings"
	"testing"

	"github.com/parley-rt/parley/bench/internal/report"
	"github.com/parley-rt/parley/bench/internal/result"
)

// results are of two systems and three runs, with the second system twice as expensive and once failing.
func results() *result.File {
	f := &result.File{Systems: []result.System{
		{Name: "parley", Title: "Parley"},
		{Name: "other", Title: "Other"},
		{Name: "absent", Title: "Absent", Skipped: "missing"},
	}}
	add := func(scenario, name, system string, run int, values map[string]float64) {
		f.Samples = append(f.Samples, result.Sample{Scenario: scenario, Case: name, System: system, Run: run, Values: values})
	}
	for run := range 3 {
		noise := float64(run)
		for system, factor := range map[string]float64{"parley": 1, "other": 2} {
			add("idle", "slope", system, run, map[string]float64{connections: 19000, rssPerConn: factor*1000 + noise, heapPerConn: 10})
			add("fanout", fanoutCase(1, 100), system, run, map[string]float64{cpuPerDelivery: factor*5 + noise, deliveryRate: 1e6 / factor})
			add("p2p", ladder, system, run, map[string]float64{
				heldRate: 16000 / factor, atRate("p50", 500): 0.1, atRate("p99", 500): factor, atRate("max", 500): 30, atRate(lostCount, 8000): noise,
			})
		}
	}
	f.Samples = append(f.Samples, result.Sample{Scenario: "fanout", Case: fanoutCase(64, 100), System: "other", Error: "broken"})
	return f
}

func row(t *testing.T, table report.Table, system string) []string {
	t.Helper()
	i := slices.IndexFunc(table.Rows, func(row []string) bool { return row[0] == system })
	if i < 0 {
		t.Fatalf("no row for %s in %v", system, table.Rows)
	}
	if len(table.Rows[i]) != len(table.Columns) {
		t.Errorf("%d cells for %d columns", len(table.Rows[i]), len(table.Columns))
	}
	return table.Rows[i]
}

func TestIdleTable(t *testing.T) {
	t.Parallel()
	table := newIdle(false).Tables(results())[0]
	got := row(t, table, "Other")
	want := []string{"Other", "19,000", "2.00 KB", "2.00×", "10 B", report.None}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(table.Rows) != 2 {
		t.Errorf("%d rows, want 2: a skipped system has none", len(table.Rows))
	}
}

func TestFanoutTables(t *testing.T) {
	t.Parallel()
	tables := newFanout(false).Tables(results())
	if got := row(t, tables[0], "Other")[1:3]; !slices.Equal(got, []string{"11.0 (1.83×)", "500k (0.50×)"}) {
		t.Errorf("got %v", got)
	}
	if got := row(t, tables[1], "Other")[1]; got != report.None {
		t.Errorf("got %q for a case that failed", got)
	}
	if notes := strings.Join(tables[1].Notes, "\n"); !strings.Contains(notes, "broken") {
		t.Errorf("the notes don't tell why: %q", notes)
	}
}

func TestPeersTable(t *testing.T) {
	t.Parallel()
	table := newPeers(false).Tables(results())[0]
	if got := row(t, table, "Other")[1:3]; !slices.Equal(got, []string{"8,000 (0.50×)", "0.10 / 2.00 / 30.0"}) {
		t.Errorf("got %v", got)
	}
	if notes := strings.Join(table.Notes, "\n"); !strings.Contains(notes, "Other at 8,000/s: up to 2 messages lost") {
		t.Errorf("got notes %q", notes)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	got, err := Select("slow,idle", true)
	if err != nil || len(got) != 2 || got[0].Name() != "idle" || got[1].Name() != "slow" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Select("idle,nothing", true); err == nil {
		t.Error("an unknown scenario was taken")
	}
}
