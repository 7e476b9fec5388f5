package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/parley-rt/parley/parleytest"
)

// mount mounts a file system for the test, which it skips where that may not be.
func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	if err := os.MkdirAll(target, 0o700); err != nil {
		t.Fatal(err)
	}
	err := unix.Mount(source, target, kind, flags, options)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) {
		t.Skipf("mounting %s needs root and the file system: %v", kind, err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) }) // unmounted by the test, mostly
}

// fill takes what room a volume has, but for what its programs took before.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, block := range []int{1 << 20, 4 << 10, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, block))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// wantInbox has a user connect and get a message.
func wantInbox(t *testing.T, p *process, user, text string) {
	t.Helper()
	c := parleytest.DialURL(t, p.url+"ws/"+user+"/", nil)
	if got, want := c.Receive(), fmt.Sprintf(`{"message":"%s","to_user":"%s"}`, text, user); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

// wantRefused has alice send until she is told that nothing can be kept.
func wantRefused(t *testing.T, p *process) {
	t.Helper()
	alice := parleytest.DialURL(t, p.url+"ws/alice/?ack=1", nil)
	for got := ""; !strings.Contains(got, `"code":"unavailable"`); got = alice.Receive() {
		alice.Send(`{"message":"` + strings.Repeat("x", 10_000) + `","to_user":"dave"}`)
	}
}

// wantHealth waits until the server answers with a status, and returns the answer.
func wantHealth(t *testing.T, p *process, want int) (body string) {
	t.Helper()
	for tick := time.Tick(20 * time.Millisecond); ; <-tick {
		if status, said := p.get("healthz"); status == want {
			return said
		}
	}
}

// sendTo has alice send to users who are not there.
func sendTo(t *testing.T, p *process, text string, users ...string) {
	t.Helper()
	alice := parleytest.DialURL(t, p.url+"ws/alice/?ack=1", nil)
	for _, user := range users {
		alice.Send(fmt.Sprintf(`{"message":"%s","to_user":"%s"}`, text, user))
		if got := alice.Receive(); !strings.Contains(got, `"state":"kept"`) {
			t.Fatalf("got %s", got)
		}
	}
}

// TestFullVolume fills a volume from outside: inboxes are read, senders are told, and a
// server that is started then does as well. When there is room again all works.
func TestFullVolume(t *testing.T) {
	t.Parallel()
	volume := filepath.Join(t.TempDir(), "volume")
	mount(t, "none", volume, "tmpfs", 0, "size=64m")
	args := []string{freePort, "--data", filepath.Join(volume, "data")}
	p := serve(t, args...)
	sendTo(t, p, "hello", "bob", "carol", "eve")
	filler := filepath.Join(volume, "filler")
	fill(t, filler)
	wantRefused(t, p)
	wantInbox(t, p, "bob", "hello")
	if said := wantHealth(t, p, http.StatusServiceUnavailable); !strings.Contains(said, "messages cannot be kept") {
		t.Errorf("health says %s", said)
	}
	p.kill()
	p = serve(t, args...)
	if !strings.Contains(p.seen.String(), "no space left on device") && !strings.Contains(p.seen.String(), "MB free") {
		t.Errorf("it does not say why: %s", &p.seen)
	}
	wantRefused(t, p)
	wantInbox(t, p, "carol", "hello")
	wantHealth(t, p, http.StatusServiceUnavailable)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	wantHealth(t, p, http.StatusOK)
	sendTo(t, p, "after", "dana")
	wantInbox(t, p, "dana", "after")
	wantInbox(t, p, "eve", "hello")
	p.stop()
}

// TestReadOnlyVolume serves and copies a directory that cannot be written: nothing in it
// changes.
func TestReadOnlyVolume(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	dir, volume, to := filepath.Join(base, "data"), filepath.Join(base, "volume"), filepath.Join(base, "copy")
	p := serve(t, freePort, "--data", dir)
	sendTo(t, p, "hello", "bob", "carol")
	p.kill()
	mount(t, dir, volume, "bind", unix.MS_BIND, "")
	mount(t, "none", volume, "bind", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	before := listing(t, dir)
	p = serve(t, freePort, "--data", volume)
	wantRefused(t, p)
	wantInbox(t, p, "bob", "hello")
	wantHealth(t, p, http.StatusServiceUnavailable)
	p.stop()
	backup(t, volume, to)
	if after := listing(t, dir); after != before {
		t.Errorf("the directory was\n%s\nand is\n%s", before, after)
	}
	wantInbox(t, serve(t, freePort, "--data", to), "carol", "hello")
}

// listing describes the files of a directory.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	for _, sub := range []string{"", "db"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			info, err := entry.Info()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&text, sub, info.Name(), info.Size(), info.ModTime())
		}
	}
	return text.String()
}

// TestDirectoryTaken takes the directory of a running server away: the next message is
// not acknowledged, and health says so.
func TestDirectoryTaken(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(t *testing.T, dir string){
		"removed": func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		},
		"moved": func(t *testing.T, dir string) {
			if err := os.Rename(dir, dir+".moved"); err != nil {
				t.Fatal(err)
			}
			other := serve(t, freePort, "--data", dir)
			sendTo(t, other, "hello", "bob")
			other.stop()
			if out, err := command(t, "serve", freePort, "--data", dir+".moved").CombinedOutput(); err == nil || !strings.Contains(string(out), "in use by another process") {
				t.Errorf("serving what was moved: %v, %s", err, out)
			}
		},
		"mounted over": func(t *testing.T, dir string) { mount(t, "none", dir, "tmpfs", 0, "size=1m") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			p := serve(t, freePort, "--data", dir)
			sendTo(t, p, "before", "bob")
			take(t, dir)
			alice := parleytest.DialURL(t, p.url+"ws/alice/?ack=1", nil)
			alice.Send(toBob("after"))
			if got := alice.Receive(); !strings.Contains(got, `"code":"unavailable"`) {
				t.Errorf("got %s", got)
			}
			wantHealth(t, p, http.StatusServiceUnavailable)
			p.until("in use: bring")
			if name != "mounted over" {
				return
			}
			if err := unix.Unmount(dir, 0); err != nil {
				t.Fatal(err)
			}
			wantHealth(t, p, http.StatusOK)
			sendTo(t, p, "again", "carol")
			wantInbox(t, p, "bob", "before")
		})
	}
}

// TestLockRemoved removes the file LOCK of a running server: another one is refused all
// the same.
func TestLockRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	p := serve(t, freePort, "--data", dir)
	for range 3 {
		if err := os.Remove(filepath.Join(dir, "LOCK")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		wantMistake(t, "is in use by another process", "serve", freePort, "--data", dir)
	}
	wantHealth(t, p, http.StatusOK)
	sendTo(t, p, "hello", "bob")
}
