package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-rt/parley/parleytest"
)

// backup runs parley backup, which is to say nothing but where the copy is.
func backup(t *testing.T, from, to string) {
	t.Helper()
	out, err := command(t, "backup", "--data", from, to).CombinedOutput()
	if want := to + " is a copy of " + from + "\n"; err != nil || string(out) != want {
		t.Errorf("%v: %s", err, out)
	}
}

// TestBackup copies the data of a running server, of one that was killed and of one
// that was stopped. What came after a copy is not in it.
func TestBackup(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir := filepath.Join(base, "data")
	running, killed, stopped := filepath.Join(base, "1"), filepath.Join(base, "2"), filepath.Join(base, "deeper", "3")
	p := serve(t, freePort, "--data", dir)
	sendKept(t, p, "one")
	if err := os.Mkdir(running, 0o700); err != nil { // empty is as good as missing
		t.Fatal(err)
	}
	backup(t, dir, running)
	sendKept(t, p, "two")
	p.kill()
	backup(t, dir, killed)
	p = serve(t, freePort, "--data", dir)
	sendKept(t, p, "three")
	p.stop()
	backup(t, dir, stopped)
	for copied, texts := range map[string][]string{
		running: {"one"}, killed: {"one", "two"}, stopped: {"one", "two", "three"}, dir: {"one", "two", "three"},
	} {
		wantKept(t, serve(t, freePort, "--data", copied), texts...)
	}
}

// TestBackupWhileBusy copies while alice goes on sending: all that was acknowledged
// before is in the copy, and nothing is between.
func TestBackupWhileBusy(t *testing.T) {
	t.Parallel()
	dir, to := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "copy")
	const rule = "--keep=user:* messages=1000000"
	p := serve(t, freePort, rule, "--data", dir)
	const before = 200
	alice := parleytest.DialURL(t, p.url+"ws/alice/?ack=1", nil)
	next := func(n int) {
		alice.Send(toBob(strconv.Itoa(n)))
		alice.Receive()
	}
	for n := range before {
		next(n)
	}
	copied := make(chan bool)
	go func() {
		defer close(copied)
		backup(t, dir, to)
	}()
	sent := before
	for busy := true; busy; sent++ {
		next(sent)
		select {
		case <-copied:
			busy = false
		default:
		}
	}
	bob := parleytest.DialURL(t, serve(t, freePort, rule, "--data", to).url+"ws/bob/", nil)
	for n := range before {
		if got, want := bob.Receive(), toBob(strconv.Itoa(n)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	t.Logf("%d were sent while it was copied", sent-before)
}

func TestBackupMistakes(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir, empty, used := filepath.Join(base, "data"), filepath.Join(base, "empty"), filepath.Join(base, "used")
	for _, name := range []string{empty, used} {
		if err := os.Mkdir(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file(t, used, "file", "")
	serve(t, freePort, "--data", dir)
	for want, args := range map[string][]string{
		`expected "<dir>"`:                                               {"--data", dir},
		used + " is not empty":                                           {"--data", dir, used},
		used + "/file/copy":                                              {"--data", dir, filepath.Join(used, "file", "copy")},
		"copy is in the data directory":                                  {"--data", dir, filepath.Join(dir, "copy")},
		dir + " is in the data directory":                                {"--data", dir, dir},
		"--data: there is no data in " + base + "/nothing":               {"--data", filepath.Join(base, "nothing"), empty},
		"--data: there is no data in " + empty:                           {"--data", empty, filepath.Join(base, "copy")},
		"--data: " + used + " is not empty, and holds no data of Parley": {"--data", used, filepath.Join(base, "copy")},
		"--data: there is no data in ":                                   {filepath.Join(base, "copy")},
	} {
		wantMistake(t, want, append([]string{"backup"}, args...)...)
	}
	if entries, err := os.ReadDir(used); err != nil || len(entries) != 1 {
		t.Errorf("%v in the directory of others, %v", entries, err)
	}
}

// TestControlSocket looks at who may ask the server of a directory, however long
// its path is.
func TestControlSocket(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	for _, dir := range []string{filepath.Join(base, "short"), filepath.Join(base, strings.Repeat("long", 50))} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var asked string
		for range 2 { // the second time as after a kill
			c, err := listenControl(dir, func(_ context.Context, to string) error {
				asked = to
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() }) // closed below, or the second time
			info, err := os.Lstat(filepath.Join(dir, controlName))
			if err != nil || info.Mode() != os.ModeSocket|0o600 {
				t.Fatalf("%v, %v", info, err)
			}
		}
		if err := askForBackup(t.Context(), dir, "/copy"); err != nil || asked != "/copy" {
			t.Errorf("asked for %q, %v", asked, err)
		}
		if err := askForBackup(t.Context(), dir, "copy"); err == nil || !strings.Contains(err.Error(), "not an absolute path") {
			t.Errorf("got the error %v", err)
		}
	}
}

// TestControlOfAnother ends a server whose directory was moved, and whose path another
// one serves: it leaves that one's socket alone.
func TestControlOfAnother(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var servers []*control
	for range 2 {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		c, err := listenControl(dir, func(context.Context, string) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if servers = append(servers, c); len(servers) == 1 {
			if err := os.Rename(dir, dir+".moved"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := servers[0].Close(); err != nil {
		t.Error(err)
	}
	if err := askForBackup(t.Context(), dir, "/copy"); err != nil {
		t.Errorf("asking the other one: %v", err)
	}
	if err := servers[1].Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, controlName)); !os.IsNotExist(err) {
		t.Errorf("its own socket is left: %v", err)
	}
}
