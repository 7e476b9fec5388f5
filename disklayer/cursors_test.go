package disklayer

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// TestCursorOfLogNotInMemory moves a cursor back that is not stored yet: it stays.
func TestCursorOfLogNotInMemory(t *testing.T) {
	t.Parallel()
	cfg := testConfig("data")
	cfg.fs, cfg.tick, cfg.TailBytes = vfs.NewMem(), time.Hour, 1
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
