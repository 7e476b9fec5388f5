package crash_test

import (
	"cmp"
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley/internal/crash"
	"github.com/parley-rt/parley/internal/crash/history"
)

var (
	seed     = flag.Uint64("seed", 0, "decides all that is left to chance; 0: another one each time")
	kills    = flag.Int("kills", 5, "how often TestKill kills the server")
	restores = flag.Int("restores", 1, "how many of the kills are followed by the return of a backup")
	process  = flag.Bool("process", false, "messages need not survive the machine")
)

// TestKill kills the server again and again, and finds every promise kept.
func TestKill(t *testing.T) {
	t.Parallel()
	report, found := play(t, crash.Config{
		Server: build(t, sound), Kills: *kills, Restores: *restores, Process: *process, Senders: 50, Receivers: 200, Patience: time.Minute,
	})
	show(t, found)
	for _, receiver := range report.Unfinished {
		t.Errorf("did not get all in time: %s", receiver)
	}
}

// TestStorm is TestKill for users with two devices each, on consumers of all kinds
// and with both policies for slow readers, and with large messages.
func TestStorm(t *testing.T) {
	t.Parallel()
	cfg := crash.Config{Server: build(t, sound), Kills: *kills, Senders: 50, Receivers: 200, Storm: true, Patience: time.Minute}
	if cfg.Kills <= 5 { // a short one is a small one
		cfg.Kills, cfg.Senders, cfg.Receivers = min(cfg.Kills, 3), 20, 64
	}
	report, found := play(t, cfg)
	t.Log(report.Repeats)
	t.Logf("violations by consumer: %v", byConsumer(found))
	show(t, found)
	for _, receiver := range report.Unfinished {
		t.Errorf("did not get all in time: %s", receiver)
	}
}

// TestBroken has each broken build found out, for what is broken, and the same
// build found sound while nothing is.
func TestBroken(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]history.Kind{
		"":                  "",
		"resume-off-by-one": history.Lost,
		"dedup-off":         history.KeptTwice,
		"clock-trusted":     history.Lost,
		"epoch-ignored":     history.NotTold,
	} {
		t.Run(cmp.Or(fault, "none"), func(t *testing.T) {
			t.Parallel()
			patience := time.Minute
			if want != "" {
				patience = 5 * time.Second // some receivers never get all
			}
			_, found := play(t, crash.Config{
				Server: build(t, broken), Env: []string{"PARLEY_FAULT=" + fault},
				Kills: 3, Restores: 1, Senders: 20, Receivers: 40, Patience: patience,
			})
			if want == "" {
				show(t, found)
			} else if kinds := history.Kinds(found); !slices.Contains(kinds, want) {
				t.Errorf("found %q, want %q among them", kinds, want)
			}
		})
	}
}

// TestServerEnds has a run end that has no server.
func TestServerEnds(t *testing.T) {
	t.Parallel()
	name, err := exec.LookPath("false")
	if err != nil {
		t.Skip(err)
	}
	report, err := crash.Run(t.Context(), crash.Config{
		Server: name, Dir: directory(t), Kills: 1, Senders: 1, Receivers: 4, Patience: time.Minute, Log: t.Logf,
	})
	if err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("got %+v, %v, want an error about the server", report, err)
	}
}

// play does a run. What it leaves behind stays where the test fails.
func play(t *testing.T, cfg crash.Config) (*crash.Report, []history.Violation) {
	t.Helper()
	cfg.Seed, cfg.Dir, cfg.Log = *seed, directory(t), t.Logf
	if cfg.Seed == 0 {
		cfg.Seed = rand.Uint64()
	}
	t.Logf("-seed %d", cfg.Seed)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(cfg.Kills)*10*time.Second)
	defer cancel()
	report, err := crash.Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	found := history.Check(&report.History)
	t.Logf("%d kills, %d restores, %d connections; %d sends accepted, %d retried; %d messages delivered; violations: %v",
		report.Kills, report.Restores, report.Connections, report.Accepted, report.Retries, report.Delivered, count(found))
	return report, found
}

// directory returns one that is removed unless the test fails.
func directory(t *testing.T) string {
	dir, err := os.MkdirTemp("", "parley-crash-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			name := filepath.Join(dir, crash.LogName)
			log, err := os.ReadFile(name)
			t.Logf("the data is left in %s, %v; %s ends so:\n%s", dir, err, name, log[max(0, len(log)-2000):])
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func count(of []history.Violation) map[history.Kind]int {
	n := map[history.Kind]int{}
	for _, v := range of {
		n[v.Kind]++
	}
	return n
}

// byConsumer counts what happened at each kind of consumer of a storm.
func byConsumer(of []history.Violation) map[string]int {
	n := map[string]int{}
	for _, v := range of {
		_, path, _ := strings.Cut(v.Receiver, " on ")
		n[string(v.Kind)+" "+path]++
	}
	return n
}

// show fails the test with the first violations of each kind.
func show(t *testing.T, found []history.Violation) {
	t.Helper()
	shown := map[history.Kind]int{}
	for _, v := range found {
		if shown[v.Kind]++; shown[v.Kind] <= 5 {
			t.Error(v)
		}
	}
}
