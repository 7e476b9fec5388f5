package disklayer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// must is for steps of a test that cannot fail.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// newestLog returns the write-ahead log in use.
func newestLog(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, dbDir, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	return logs[len(logs)-1]
}

// TestTakenAway takes the directory of a layer away, or a part of it, while it is in use:
// the next message is refused, health says why, and no other directory is written to.
func TestTakenAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		take func(t *testing.T, dir string) // dir is a symlink to real
		want string                         // in Health, in the end
		back func(t *testing.T, dir string) // has it work again; nil where nothing does
	}{
		{"the directory is removed", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir+".real")) }, "was removed or moved", nil},
		{"it is moved", func(t *testing.T, dir string) { must(t, os.Rename(dir+".real", dir+".moved")) }, "was removed or moved", func(t *testing.T, dir string) {
			must(t, os.Rename(dir+".moved", dir+".real"))
		}},
		{"it is moved, and another server has its path", func(t *testing.T, dir string) {
			must(t, os.Rename(dir+".real", dir+".moved"), os.CopyFS(dir+".real", os.DirFS(dir+".moved")))
		}, "is another directory now", nil},
		{"its symlink is switched", func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+".other", 0o700), os.Remove(dir), os.Symlink(dir+".other", dir))
		}, "is another directory now", func(t *testing.T, dir string) {
			must(t, os.Remove(dir), os.Symlink(dir+".real", dir))
		}},
		{"the database is removed", func(t *testing.T, dir string) { must(t, os.RemoveAll(filepath.Join(dir, dbDir))) }, "was removed or moved", nil},
		{"the database is replaced", func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, dbDir), dir+".db"), os.CopyFS(filepath.Join(dir, dbDir), os.DirFS(dir+".db")))
		}, "is another directory now", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(filepath.Join(dir, dbDir)), os.Rename(dir+".db", filepath.Join(dir, dbDir)))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			must(t, os.Mkdir(dir+".real", 0o700))
			if err := os.Symlink(dir+".real", dir); err != nil {
				t.Skip(err)
			}
			cfg := testConfig(dir)
			cfg.reopen, cfg.tick = time.Millisecond, time.Hour
			l := mustOpen(t, cfg)
			link := l.Attach(&hub{keep: keepAll})
			bob := parley.User("bob")
			mustSend(t, link, bob, "before")
			test.take(t, dir)
			taken := listing(t, dir)
			for range 3 {
				if _, err := send(link, bob, "meanwhile", ""); !isUnavailable(err) {
					t.Fatalf("sending: %v", err)
				}
			}
			for tick := time.Tick(time.Millisecond); !strings.Contains(l.Health().Error(), test.want); <-tick {
			}
			if now := listing(t, dir); now != taken {
				t.Errorf("what has its path was\n%s\nand is\n%s", taken, now)
			}
			if test.back == nil {
				must(t, l.Close())
				return
			}
			test.back(t, dir)
			healthy(t, l, true)
			mustSend(t, link, bob, "after")
			if got, _ := texts(t, link, bob, parley.Cursor{}); got[0] != "before" || got[len(got)-1] != "after" {
				t.Errorf("kept %q", got)
			}
		})
	}
}

// listing describes the files below a directory.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	for _, sub := range []string{".", dbDir} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err != nil {
				t.Fatal(err)
			}
			if !info.IsDir() {
				fmt.Fprintln(&text, sub, info.Name(), info.Size(), info.ModTime())
			}
		}
	}
	return text.String()
}

// TestLogTakenAway takes the write-ahead log away: what is synced there is not accepted.
func TestLogTakenAway(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(t *testing.T, log string){
		"removed":  func(t *testing.T, log string) { must(t, os.Remove(log)) },
		"moved":    func(t *testing.T, log string) { must(t, os.Rename(log, log+".old")) },
		"cut":      func(t *testing.T, log string) { must(t, os.Truncate(log, 0)) },
		"replaced": func(t *testing.T, log string) { must(t, os.WriteFile(log+"x", nil, 0o600), os.Rename(log+"x", log)) },
	} {
		for _, durability := range []Durability{Machine, Process} {
			t.Run(name+" "+durability.String(), func(t *testing.T) {
				t.Parallel()
				cfg := testConfig(t.TempDir())
				cfg.Durability, cfg.reopen = durability, time.Hour
				l := mustOpen(t, cfg)
				link := l.Attach(&hub{keep: keepAll})
				mustSend(t, link, parley.User("bob"), "before")
				take(t, newestLog(t, cfg.dir))
				if _, err := send(link, parley.User("bob"), "meanwhile", ""); !isUnavailable(err) {
					t.Errorf("sending: %v", err)
				}
				healthy(t, l, false)
			})
		}
	}
}

// TestIdleNotices takes things away from a layer that nobody writes to: its health says
// so, and it works again once they are back.
func TestIdleNotices(t *testing.T) {
	t.Parallel()
	for _, name := range []string{versionFile, lockFile, dbDir, "."} {
		for _, how := range []string{"moved", "replaced"} {
			t.Run(how+" "+name, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(t.TempDir(), "data")
				cfg := testConfig(dir)
				cfg.reopen, cfg.tick = time.Millisecond, time.Millisecond
				l := mustOpen(t, cfg)
				link := l.Attach(&hub{keep: keepAll})
				mustSend(t, link, parley.User("bob"), "hello")
				path, aside := filepath.Join(dir, name), filepath.Join(filepath.Dir(dir), "aside")
				must(t, os.Rename(path, aside))
				if how == "replaced" {
					must(t, os.WriteFile(path, []byte("parley data 1\ncopy\n"), 0o600))
				}
				if name == lockFile { // is made again, as others could lock it
					for tick := time.Tick(time.Millisecond); !isEmpty(path); <-tick {
					}
				} else {
					healthy(t, l, false)
					if err := l.Health(); !strings.Contains(err.Error(), "while it was in use") && !strings.Contains(err.Error(), "another directory now") && !strings.Contains(err.Error(), "no such file") {
						t.Errorf("health is %v", err)
					}
					must(t, os.RemoveAll(path), os.Rename(aside, path))
				}
				healthy(t, l, true)
				mustSend(t, link, parley.User("bob"), "after")
			})
		}
	}
}

// isEmpty reports whether there is a file without data.
func isEmpty(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == 0
}

// TestLockRemoved opens a directory that is in use, whose file LOCK was removed.
func TestLockRemoved(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	cfg.tick = time.Hour
	mustOpen(t, cfg)
	for _, remove := range []string{lockFile, versionFile, dbDir} {
		must(t, os.RemoveAll(filepath.Join(cfg.dir, remove)))
		for _, reading := range []bool{false, true} {
			cfg.ReadOnly = reading
			if l, err := open(cfg); err == nil {
				t.Errorf("it was opened twice without %s, reading %v", remove, reading)
				_ = l.Close() // as it should not be open
			}
		}
	}
}

// TestDatabaseGone opens directories whose VERSION is there alone.
func TestDatabaseGone(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(db string) error{
		"removed": os.RemoveAll,
		"empty":   func(db string) error { return errors.Join(os.RemoveAll(db), os.Mkdir(db, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t.TempDir())
			l := mustOpen(t, cfg)
			mustSend(t, l.Attach(&hub{keep: keepAll}), parley.User("bob"), "hello")
			must(t, l.Close(), take(filepath.Join(cfg.dir, dbDir)))
			for range 2 {
				if _, err := open(cfg); !errors.Is(err, errNoDatabase) {
					t.Errorf("opening: %v", err)
				}
			}
		})
	}
}

// TestRestoredOver copies a backup over the directory of a layer in use, file by file.
func TestRestoredOver(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	cfg := testConfig(filepath.Join(base, "data"))
	cfg.reopen = time.Hour
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	mustSend(t, link, parley.User("bob"), "before")
	must(t, l.Backup(t.Context(), filepath.Join(base, "copy"), nil))
	mustSend(t, link, parley.User("bob"), strings.Repeat("x", 100_000))
	must(t, filepath.WalkDir(filepath.Join(base, "copy"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(filepath.Join(base, "copy"), path) // it is below
		data, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(filepath.Join(cfg.dir, name), data, 0o600))
	}))
	if _, err := send(link, parley.User("bob"), "meanwhile", ""); !isUnavailable(err) {
		t.Errorf("sending: %v", err)
	}
	healthy(t, l, false)
}
