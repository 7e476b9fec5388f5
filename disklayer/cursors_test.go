package disklayer

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// TestCursorOfLogNotInMemory moves a cursor back that is not stored yet: it stays.
func TestCursorOfLogNotInMemory(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs, cfg.saveEvery, cfg.TailBytes = vfs.NewMem(), time.Hour, 1
	link := mustOpen(t, cfg).Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	var places []parley.Cursor
	for range 5 {
		places = append(places, mustSend(t, link, bob, "data").Cursor)
	}
	mustSend(t, link, parley.User("other"), "takes the place in memory")
	link.Advance(bob, "phone", places[4])
	link.Advance(bob, "phone", places[2])
	if named, err := link.Cursors(t.Context(), bob); err != nil || named["phone"] != places[4] {
		t.Errorf("the cursor is at %v, %v; want %v", named["phone"], err, places[4])
	}
}

// TestIntroduceMany introduces many devices of one user at once: no more are stored than
// are remembered, and the last one is known.
func TestIntroduceMany(t *testing.T) {
	t.Parallel()
	l := mustOpen(t, testConfig(t.TempDir())) // where syncing takes its time
	link := l.Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	at := mustSend(t, link, bob, "data").Cursor
	var all sync.WaitGroup
	for i := range 4 * maxCursors {
		all.Go(func() {
			if err := link.Introduce(t.Context(), bob, fmt.Sprint(i), at); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s, err := l.use()
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := s.storedCursors(bob); err != nil || len(stored) > maxCursors {
		t.Errorf("%d cursors are stored, %v", len(stored), err)
	}
	if err := link.Introduce(t.Context(), bob, "zzz", at); err != nil {
		t.Fatal(err)
	}
	if named, err := link.Cursors(t.Context(), bob); err != nil || named["zzz"] != at || len(named) > maxCursors {
		t.Errorf("%d cursors, %v, of which the last is at %v, want %v", len(named), err, named["zzz"], at)
	}
}

// TestLastMoveIsWritten moves a cursor now and then: each move is written, though none
// follows that could have the store look for it.
func TestLastMoveIsWritten(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs, cfg.saveEvery = vfs.NewMem(), time.Millisecond
	l := mustOpen(t, cfg)
	s, err := l.use()
	if err != nil {
		t.Fatal(err)
	}
	link, bob := l.Attach(&hub{keep: keepAll}), parley.User("bob")
	tick, late := time.NewTicker(100*time.Microsecond), time.After(time.Minute)
	defer tick.Stop()
	for range 50 {
		at := mustSend(t, link, bob, "data").Cursor
		link.Advance(bob, "phone", at)
		for stored, err := s.storedCursors(bob); stored["phone"].at != at; stored, err = s.storedCursors(bob) {
			select {
			case <-tick.C:
			case <-late:
				t.Fatalf("the cursor is stored at %v, %v; want %v", stored["phone"].at, err, at)
			}
		}
	}
}
