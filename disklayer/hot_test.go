package disklayer

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// TestHotLog sends much to one user while the store's housekeeping is busy with
// something else: nothing is refused.
func TestHotLog(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs, cfg.saveEvery = vfs.NewMem(), time.Hour
	l := mustOpen(t, cfg)
	s, _ := l.use()
	s.keeper.stop() // as if it were busy
	keep := parley.Retention{Messages: 1000, Bytes: 1 << 20, Age: time.Hour}
	link := l.Attach(&hub{keep: keep})
	bob := parley.User("bob")
	for range 2 * (keep.Bytes + trimSlack + queueBytes) / (100 << 10) {
		mustSend(t, link, bob, strings.Repeat("x", 100<<10))
	}
	if got, missed := texts(t, link, bob, parley.Cursor{}); len(got) != 10 || missed {
		t.Errorf("%d messages are kept, missed %v", len(got), missed)
	}
}

// TestCursorMovedWhileSwept moves a cursor after a sweep found it to be old.
func TestCursorMovedWhileSwept(t *testing.T) {
	t.Parallel()
	c, s, link := clockedLayer(t, anHour)
	bob := parley.User("bob")
	sent := mustSend(t, link, bob, "hello")
	link.Advance(bob, "phone", sent.Cursor)
	if err := s.flushCursors(); err != nil {
		t.Fatal(err)
	}
	c.pass(2 * time.Hour)
	keys, values, err := s.keys([]byte{keyCursor}, []byte{keyCursor + 1}, 10)
	if err != nil || len(keys) != 1 {
		t.Fatal(len(keys), err)
	}
	link.Advance(bob, "phone", sent.Cursor)
	if err := s.flushCursors(); err != nil {
		t.Fatal(err)
	}
	if err := (&sweep{s: s}).cursors(keys, values); err != nil {
		t.Fatal(err)
	}
	if named, err := link.Cursors(t.Context(), bob); err != nil || named["phone"] != sent.Cursor {
		t.Errorf("cursors %v, %v", named, err)
	}
}
