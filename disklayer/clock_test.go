package disklayer

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

const aDay = 24 * time.Hour

var aWeek = parley.Retention{Messages: 1000, Bytes: 1 << 30, Age: 7 * aDay}

// jumpy is a store on a machine whose clocks jump.
type jumpy struct {
	*testing.T
	*testClock
	cfg   config
	layer *Layer
	link  parley.Link
}

func newJumpy(t *testing.T, at time.Time) *jumpy {
	j := &jumpy{T: t, testClock: &testClock{wall: at.UnixNano()}, cfg: testConfig("data")}
	j.cfg.fs, j.cfg.read, j.cfg.sweepEvery, j.cfg.tick = vfs.NewCrashableMem(), j.testClock.read, time.Hour, time.Hour
	j.open()
	return j
}

func (j *jumpy) open() {
	j.layer = mustOpen(j, j.cfg)
	j.link = j.layer.Attach(&hub{keep: aWeek})
}

func (j *jumpy) restart() {
	if err := j.layer.Close(); err != nil {
		j.Fatal(err)
	}
	j.open()
}

// kill is kill -9, and a new start.
func (j *jumpy) kill() {
	left := j.cfg.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	kill(j.layer)
	j.cfg.fs = left
	j.open()
}

// looks has the store see what the clocks show, and do what it does now and then.
func (j *jumpy) looks() {
	j.pass(2 * time.Second)
	sweepAll(j.T, j.layer.store)
	sweepAll(j.T, j.layer.store)
	if err := j.layer.store.keepClock(); err != nil {
		j.Fatal(err)
	}
}

// holds holds the store to so many messages to bob, to so many of his cursors, and to so
// many keys.
func (j *jumpy) holds(when string, messages, cursors, keys int) {
	j.Helper()
	if got, missed := texts(j, j.link, parley.User("bob"), parley.Cursor{}); len(got) != messages || missed {
		j.Errorf("%s %q is kept, missed %v, want %d messages", when, got, missed, messages)
	}
	j.looks()
	s := j.layer.store
	if m, c, k := stored(j.T, s, keyMessage), stored(j.T, s, keyCursor), stored(j.T, s, keyDedup); m != messages || c != cursors || k != keys {
		j.Errorf("%s %d messages, %d cursors and %d keys are stored, want %d, %d and %d", when, m, c, k, messages, cursors, keys)
	}
}

// sends sends a message to bob with its text as the key.
func (j *jumpy) sends(text string) parley.Sent {
	j.Helper()
	sent, err := send(j.link, parley.User("bob"), text, text)
	if err != nil {
		j.Fatal(err)
	}
	return sent
}

var noon = time.Date(2026, 5, 5, 12, 0, 0, 0, time.UTC)

// TestJumpAheadAndBack has a clock be wrong for a while, in one run and over others.
func TestJumpAheadAndBack(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(*jumpy){
		"one run": func(*jumpy) {}, "restarts": (*jumpy).restart, "kills": (*jumpy).kill,
	} {
		for _, by := range []time.Duration{49 * time.Hour, 31 * aDay, 365 * aDay, -49 * time.Hour, -365 * aDay} {
			t.Run(name+by.String(), func(t *testing.T) {
				t.Parallel()
				j, bob := newJumpy(t, noon), parley.User("bob")
				first := j.sends("first")
				if err := j.link.Introduce(t.Context(), bob, "phone", first.Cursor); err != nil {
					t.Fatal(err)
				}
				j.jump(by)
				between(j)
				j.holds("ahead", 1, 1, 1)
				second := j.sends("second")
				if again := j.sends("first"); again != first {
					t.Errorf("ahead a key is used again: %v, and before %v", again, first)
				}
				j.pass(30 * time.Minute)
				j.holds("later", 2, 1, 2)
				j.jump(-by)
				between(j)
				j.holds("behind", 2, 1, 2)
				if a, b := j.sends("first"), j.sends("second"); a != first || b != second {
					t.Errorf("behind keys are used again: %v and %v, and before %v and %v", a, b, first, second)
				}
				j.pass(8 * aDay)
				j.holds("a week later", 0, 1, 0)
			})
		}
	}
}

// TestYearAhead has a directory be made by a clock that is a year ahead: what is sent once
// it is right grows old all the same.
func TestYearAhead(t *testing.T) {
	t.Parallel()
	j := newJumpy(t, noon.AddDate(1, 0, 0))
	j.sends("old")
	j.looks()
	j.jump(-365 * aDay)
	j.restart()
	sent := j.sends("new")
	if wall, _ := j.read(); sent.Time.UnixNano() != wall {
		t.Errorf("a message was sent at %v, by a clock that shows %v", sent.Time, time.Unix(0, wall))
	}
	page, err := j.link.ReadBefore(t.Context(), parley.User("bob"), parley.Cursor{}, parley.PageLimit{Messages: 1, Bytes: 1})
	if err != nil || len(page.Messages) != 1 || page.Messages[0].Time != sent.Time || string(page.Messages[0].Data) != "new" {
		t.Errorf("read %v, %v, want %v", page.Messages, err, sent)
	}
	j.restart()
	page, err = j.link.ReadBefore(t.Context(), parley.User("bob"), parley.Cursor{}, parley.PageLimit{Messages: 1, Bytes: 1})
	if err != nil || len(page.Messages) != 1 || page.Messages[0].Time != sent.Time || string(page.Messages[0].Data) != "new" {
		t.Errorf("from the disk %v, %v was read, want %v", page.Messages, err, sent)
	}
	j.holds("at once", 2, 0, 2)
	j.pass(8 * aDay)
	j.holds("a week later", 0, 0, 0)
}

// TestStoodStill has the machine be suspended or off for longer than messages are kept:
// they go once the wall clock is confirmed.
func TestStoodStill(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(*jumpy){
		"suspended": func(*jumpy) {}, "off": (*jumpy).restart, "cut": (*jumpy).kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJumpy(t, noon)
			j.sends("old")
			j.pass(time.Minute)
			j.looks()
			j.jump(8 * aDay)
			between(j)
			j.holds("at once", 1, 0, 1)
			j.sends("new")
			j.pass(30 * time.Minute)
			j.looks()
			between(j)
			j.pass(29 * time.Minute)
			j.holds("within the hour", 2, 0, 2)
			j.pass(time.Minute)
			j.looks()
			j.holds("later", 1, 0, 2)
			j.pass(6 * aDay)
			j.holds("days later", 1, 0, 0)
			j.pass(aDay)
			j.holds("a week later", 0, 0, 0)
		})
	}
}

// TestKeyAfterKill has a kill take some of the clock's progress back, over the edge of a
// window of keys.
func TestKeyAfterKill(t *testing.T) {
	t.Parallel()
	j := newJumpy(t, noon.Truncate(aDay).Add(-time.Millisecond))
	j.pass(2 * time.Millisecond)
	first := j.sends("first")
	j.jump(-aDay)
	j.kill()
	if again := j.sends("first"); again != first {
		t.Errorf("a key is used again: %v, and before %v", again, first)
	}
}

// TestKeys1970 has a machine's clock begin at 1970: the first window has keys.
func TestKeys1970(t *testing.T) {
	t.Parallel()
	j := newJumpy(t, time.Unix(60, 0))
	j.sends("first")
	j.looks()
	j.holds("at once", 1, 0, 1)
}

// TestIdleClock kills a store that nothing is written to.
func TestIdleClock(t *testing.T) {
	t.Parallel()
	j := newJumpy(t, noon)
	j.sends("old")
	for range 8 * 24 {
		j.pass(time.Hour)
		if err := j.layer.store.keepClock(); err != nil {
			t.Fatal(err)
		}
		j.jump(-time.Hour) // or the wall clock would tell
		j.kill()
	}
	j.holds("a week later", 0, 0, 0)
}

// TestEarlierRecords reads records with one time, and a directory without a clock.
func TestEarlierRecords(t *testing.T) {
	t.Parallel()
	e := parley.Envelope{Message: parley.Message{To: parley.User("bob"), Data: []byte("data"), Time: time.Unix(0, 7)}}
	for _, stamp := range []int64{7, 8} {
		at := mark{1, stamp, 4}
		b := make([]byte, recordSize(&e, at))
		putRecord(b, &e, at)
		got, err := parseRecord(b, e.To, parley.Cursor{Seq: 1})
		if n, failed := dataSize(b); err != nil || failed != nil || n != 4 || string(got.Data) != "data" || !got.Time.Equal(e.Time) || len(b) > recordHeader+4 != (stamp != 7) {
			t.Errorf("got %+v, %v, of %d bytes, %v", got, err, n, failed)
		}
		if m, err := markOf(1, b); err != nil || m != at {
			t.Errorf("got %+v, %v, want %+v", m, err, at)
		}
	}
	if _, err := parseRecord(append([]byte{flagSent}, make([]byte, recordHeader)...), e.To, parley.Cursor{}); err != errRecord {
		t.Errorf("a record that is cut: %v", err)
	}
	j := newJumpy(t, noon)
	j.sends("old")
	if err := j.layer.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open("data/db", &pebble.Options{FS: j.cfg.fs, FormatMajorVersion: pebble.FormatNewest, Logger: pebbleLog{quiet(), nil}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Delete(metaKey(metaClock), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	j.open()
	j.holds("by an earlier version", 1, 0, 1)
}
