package disklayer

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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
// there may be, the others are refused, and none is forgotten.
func TestIntroduceMany(t *testing.T) {
	t.Parallel()
	l := mustOpen(t, testConfig(t.TempDir())) // where syncing takes its time
	link := l.Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	at := mustSend(t, link, bob, "data").Cursor
	var all sync.WaitGroup
	var refused atomic.Int64
	for i := range 4 * parley.MaxCursors {
		all.Go(func() {
			if err := link.Introduce(t.Context(), bob, fmt.Sprint(i), at); errors.Is(err, errCursors) {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := refused.Load(); n != 3*parley.MaxCursors {
		t.Errorf("%d of %d were refused", n, 4*parley.MaxCursors)
	}
	s, err := l.use()
	if err != nil {
		t.Fatal(err)
	}
	if stored, err := s.storedCursors(bob); err != nil || len(stored) != parley.MaxCursors {
		t.Errorf("%d cursors are stored, %v", len(stored), err)
	}
	if err := link.Introduce(t.Context(), bob, "", at); err != nil {
		t.Fatal(err)
	}
	if named, err := link.Cursors(t.Context(), bob); err != nil || named[""] != at || len(named) != parley.MaxCursors+1 {
		t.Errorf("%d cursors, %v, of which the one without a name is at %v, want %v", len(named), err, named[""], at)
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
