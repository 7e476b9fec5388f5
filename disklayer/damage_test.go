package disklayer

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// writeDamaged makes a directory with messages to users, and flips eight bytes of bob's
// middle message in its table.
func writeDamaged(t *testing.T, cfg config) {
	t.Helper()
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	var wanted []byte
	for _, name := range []string{"alice", "bob", "carol"} {
		for i := range 40 {
			data := make([]byte, 2000)
			_, _ = rand.Read(data) // does not fail
			text := hex.EncodeToString(data)
			mustSend(t, link, parley.User(name), text)
			if name == "bob" && i == 20 {
				wanted = []byte(text)
			}
		}
		if s, _ := l.use(); s.db.Flush() != nil {
			t.Fatal("no table was written")
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, cfg.dir, wanted)
}

// flip changes eight bytes within a text that one of the tables holds.
func flip(t *testing.T, dir string, text []byte) {
	t.Helper()
	tables, _ := filepath.Glob(filepath.Join(dir, dbDir, "*.sst"))
	for _, name := range tables {
		all, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(all, text[:min(len(text), 200)])
		if at < 0 {
			continue
		}
		for i := range 8 {
			all[at+50+i] ^= 0xff
		}
		if err := os.WriteFile(name, all, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("no table holds the text")
}

// damagedConfig has tables hold texts as they are, and returns what is logged.
func damagedConfig(t *testing.T) (config, *bytes.Buffer) {
	said := &bytes.Buffer{}
	cfg := testConfig(t.TempDir())
	cfg.plain = true
	cfg.Logger = slog.New(slog.NewTextHandler(said, nil))
	return cfg, said
}

func wantDamaged(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*parley.Error](err)
	if !ok || e != errDamaged {
		t.Errorf("want an error that says the log is damaged, got %v", err)
	}
}

// TestDamagedLog flips bytes of one log: its reader is told, and all others are served.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	cfg, said := damagedConfig(t)
	writeDamaged(t, cfg)
	said.Reset()
	cfg.sweepEvery, cfg.sweepPause = time.Millisecond, time.Millisecond
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	for i := range 50 {
		_, err := link.ReadAfter(t.Context(), parley.User("bob"), parley.Cursor{}, parley.PageLimit{Messages: 100, Bytes: 1 << 30})
		wantDamaged(t, err)
		if err := l.Health(); err != nil {
			t.Fatalf("health is red: %v", err)
		}
		for _, name := range []string{"alice", "carol"} {
			if got, _ := texts(t, link, parley.User(name), parley.Cursor{}); len(got) != 40+i {
				t.Fatalf("%s has %d messages, want %d", name, len(got), 40+i)
			}
			mustSend(t, link, parley.User(name), fmt.Sprint(i))
		}
	}
	s, _ := l.use()
	if err := s.db.Compact(t.Context(), []byte{0}, []byte{255}, false); err == nil {
		t.Error("a compaction did not meet the damage")
	}
	if err := l.Health(); err != nil {
		t.Errorf("health is red after a compaction: %v", err)
	}
	mustSend(t, link, parley.User("dave"), "hello")
	if n := l.Damaged(); n != 1 {
		t.Errorf("%d logs are counted as damaged", n)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if log := said.String(); strings.Count(log, "level=ERROR") != 2 || strings.Contains(log, "goroutine") || len(log) > 2000 {
		t.Errorf("the log says\n%s", log)
	}
}
