package disklayer

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// TestIntroduceForgotten introduces a device whose cursor is too old to be remembered,
// but is on the disk until a sweep comes by: it is a new one.
func TestIntroduceForgotten(t *testing.T) {
	t.Parallel()
	c, _, link := clockedLayer(t, anHour)
	bob := parley.User("bob")
	introduce := func(want parley.Cursor) {
		t.Helper()
		if err := link.Introduce(t.Context(), bob, "phone", want); err != nil {
			t.Fatal(err)
		}
		if named, err := link.Cursors(t.Context(), bob); err != nil || named["phone"] != want {
			t.Errorf("the cursors are %v, %v; want %v", named, err, want)
		}
	}
	introduce(mustSend(t, link, bob, "one").Cursor)
	c.pass(3 * time.Hour)
	introduce(mustSend(t, link, bob, "two").Cursor)
}

// TestIntroduceMoved introduces a device whose cursor was moved, but is not written
// yet: it survives the process all the same. So does one that was moved, but is stored
// as too old to be remembered.
func TestIntroduceMoved(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"new": false, "stored as too old": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &testClock{}
			mem := vfs.NewCrashableMem()
			cfg := testConfig("data")
			cfg.fs, cfg.read, cfg.saveEvery, cfg.sweepEvery = mem, c.read, time.Hour, time.Hour
			l := mustOpen(t, cfg)
			link, bob := l.Attach(&hub{keep: anHour}), parley.User("bob")
			introduce := func(at parley.Cursor) {
				t.Helper()
				if err := link.Introduce(t.Context(), bob, "phone", at); err != nil {
					t.Fatal(err)
				}
			}
			if known {
				introduce(mustSend(t, link, bob, "one").Cursor)
				c.pass(3 * time.Hour)
			}
			first, at := mustSend(t, link, bob, "two").Cursor, mustSend(t, link, bob, "three").Cursor
			link.Advance(bob, "phone", at)
			introduce(first)
			cfg.fs = mem.CrashClone(vfs.CrashCloneCfg{})
			kill(l)
			link = mustOpen(t, cfg).Attach(&hub{keep: anHour})
			if named, err := link.Cursors(t.Context(), bob); err != nil || named["phone"] != at {
				t.Errorf("the cursors are %v, %v; want %v", named, err, at)
			}
		})
	}
}

// TestForgottenMovesBack moves a device whose cursor is too old, but still stored, to a
// place before it: it is a new one there, and misses nothing behind it.
func TestForgottenMovesBack(t *testing.T) {
	t.Parallel()
	c, s, link := clockedLayer(t, anHour)
	bob := parley.User("bob")
	first, second := mustSend(t, link, bob, "one").Cursor, mustSend(t, link, bob, "two").Cursor
	if err := link.Introduce(t.Context(), bob, "phone", second); err != nil {
		t.Fatal(err)
	}
	c.pass(3 * time.Hour)
	link.Advance(bob, "phone", first)
	for range 2 {
		if named, err := link.Cursors(t.Context(), bob); err != nil || named["phone"] != first {
			t.Errorf("the cursors are %v, %v; want %v", named, err, first)
		}
		if err := s.flushCursors(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIntroducedKeepsItsPlace introduces a device to an inbox without messages, and
// drops others with many: the device has missed nothing.
func TestIntroducedKeepsItsPlace(t *testing.T) {
	t.Parallel()
	c, s, link := clockedLayer(t, anHour)
	bob, ann := parley.User("bob"), parley.User("ann")
	for range 9 {
		mustSend(t, link, ann, "old")
	}
	c.pass(2 * time.Hour)
	at, err := link.Head(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	if err := link.Introduce(t.Context(), bob, "phone", at); err != nil {
		t.Fatal(err)
	}
	c.pass(90 * time.Minute)
	sweepAll(t, s)
	s.logs.mu.Lock()
	s.logs.limit = 0
	s.logs.evictLocked() // as where other logs were used meanwhile
	s.logs.mu.Unlock()
	mustSend(t, link, bob, "new")
	page, err := link.ReadAfter(t.Context(), bob, at, parley.PageLimit{Messages: 10, Bytes: 1000})
	if err != nil || page.Missed || page.Lost != 0 || len(page.Messages) != 1 || s.floor.Load() != 9 {
		t.Errorf("behind the device's place there is %+v, %v; the floor is %d", page, err, s.floor.Load())
	}
}

// TestIntroduceWhileClosing introduces devices while the layer is closed, which writes
// what was moved.
func TestIntroduceWhileClosing(t *testing.T) {
	t.Parallel()
	for range 20 {
		cfg := testConfig("data")
		cfg.fs, cfg.saveEvery = vfs.NewMem(), time.Hour
		l := mustOpen(t, cfg)
		link := l.Attach(&hub{keep: keepAll})
		var users []parley.Address
		for i := range 50 {
			users = append(users, parley.User(fmt.Sprint(i)))
			link.Advance(users[i], "phone", mustSend(t, link, users[i], "data").Cursor)
		}
		var all sync.WaitGroup
		for _, of := range users {
			all.Go(func() {
				at, err := link.Head(t.Context(), of)
				for i := 0; err == nil; i++ { // until it is closed
					err = link.Introduce(t.Context(), of, fmt.Sprint(i), at)
				}
			})
		}
		all.Go(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
	}
}

// TestDamagedCursor has one address whose cursors cannot be read: those of others are
// written all the same.
func TestDamagedCursor(t *testing.T) {
	t.Parallel()
	_, s, link := clockedLayer(t, anHour)
	eve := parley.User("eve")
	if err := s.db.Set(cursorKey(eve, "phone"), []byte("damage"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	want := map[parley.Address]parley.Cursor{}
	for i := range 20 {
		of := parley.User(fmt.Sprint(i))
		want[of] = mustSend(t, link, of, "data").Cursor
		link.Advance(of, "phone", want[of])
	}
	link.Advance(eve, "phone", mustSend(t, link, eve, "data").Cursor)
	if err := s.flushCursors(); err != nil || !s.damages.logs[eve] {
		t.Errorf("flushing: %v; noted as damaged: %v", err, s.damages.logs)
	}
	for of, at := range want {
		if stored, err := s.storedCursors(of); err != nil || stored["phone"].at != at {
			t.Errorf("%v is stored at %v, %v; want %v", of, stored["phone"].at, err, at)
		}
	}
}
