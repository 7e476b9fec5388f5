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
			add("idle", idleUsers, system, run, map[string]float64{connections: 19000, rssPerConn: factor*1000 + noise, heapPerConn: 10})
			add("fanout", fanoutCase(1, 100), system, run, map[string]float64{cpuPerDelivery: factor*5 + noise, deliveryRate: 1e6 / factor})
			add("p2p", ladder, system, run, map[string]float64{
				heldRate: 16000 / factor, atRate("p50", 8000): 0.1, atRate("p99", 8000): factor, atRate("max", 8000): 30, atRate(lostCount, 8000): noise,
			})
		}
	}
	add("p2p", keptLadder, "parley", 0, map[string]float64{heldRate: 8000, atRate("p50", 8000): 0.5, atRate("p99", 8000): 2, atRate("max", 8000): 3})
	add("idle", idleBare, "parley", 0, map[string]float64{connections: 19000, rssPerConn: 500})
	add("spread", oneGroup, "parley", 0, map[string]float64{cpuPerDelivery: 5, deliveryRate: 2e5})
	add("spread", manyGroups, "parley", 0, map[string]float64{cpuPerDelivery: 6, deliveryRate: 1e5})
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
	if got := row(t, table, "Parley as a library, bare")[2:4]; !slices.Equal(got, []string{"500 B", "0.50×"}) {
		t.Errorf("got %v", got)
	}
	if len(table.Rows) != 3 {
		t.Errorf("%d rows, want 3: a skipped system has none, nor has what was not measured", len(table.Rows))
	}
}

func TestSpreadTable(t *testing.T) {
	t.Parallel()
	table := newSpread(false).Tables(results())[0]
	if got := row(t, table, manyGroups)[1:]; !slices.Equal(got, []string{"6.00", "1.20×", "100k"}) {
		t.Errorf("got %v", got)
	}
}

func TestChosenSizesAreTheColumns(t *testing.T) {
	t.Parallel()
	got := newFanout(false, []int{100}).Tables(results())[0].Columns
	if want := []string{"System", "100 receivers: CPU µs", "deliveries/s"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFanoutTables(t *testing.T) {
	t.Parallel()
	tables := newFanout(false, nil).Tables(results())
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
	if got := row(t, table, "Parley, keeping messages")[1:3]; !slices.Equal(got, []string{"8,000", "0.50 / 2.00 / 3.00"}) {
		t.Errorf("got %v", got)
	}
	if notes := strings.Join(table.Notes, "\n"); !strings.Contains(notes, "Other at 8,000/s: up to 2 messages lost") {
		t.Errorf("got notes %q", notes)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	got, err := Select("slow,idle", Options{Quick: true})
	if err != nil || len(got) != 2 || got[0].Name() != "idle" || got[1].Name() != "slow" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := Select("idle,nothing", Options{Quick: true}); err == nil {
		t.Error("an unknown scenario was taken")
	}
}
