// Package layertest holds what every [parley.Layer] promises, as tests. The
// test of a layer calls [Run]:
//
//	func TestLayer(t *testing.T) {
//		layertest.Run(t, func(t *testing.T) (parley.Layer, func() parley.Layer) {
//			return parley.NewMemoryLayer(), nil
//		})
//	}
//
// The tests take nothing for granted that a layer over many machines cannot
// give: places grow but have gaps, messages are accepted and handed over some
// time after they were appended, and logs are trimmed some time after they
// outgrew their bounds. What they wait for has to happen within a minute.
package layertest

import (
	"sync"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// Run tests the layers that newLayer returns. It is called for each test anew
// and returns a layer without any messages, which it has closed when the test
// ends, after the links.
//
// reopen is nil where nothing outlives the process. Else it ends the layer as
// kill -9 would, at a moment when calls may be under way, and returns one that
// found what the first one left. Afterwards the first one accepts nothing, its
// calls return when their context ends at the latest, and its links are not
// closed. reopen may be called again, for the layer that it returned.
func Run(t *testing.T, newLayer func(t *testing.T) (layer parley.Layer, reopen func() parley.Layer)) {
	for _, test := range []struct {
		name string
		run  func(r *rig)
	}{
		{"Append", testAppend},
		{"AppendConcurrent", testAppendConcurrent},
		{"DoneInOrder", testDoneInOrder},
		{"ReadableWhenHandedOver", testReadableWhenHandedOver},
		{"Goexit", testGoexit},
		{"GoexitInSend", testGoexitInSend},
		{"Pages", testPages},
		{"PagesBackward", testPagesBackward},
		{"Missed", testMissed},
		{"Follow", testFollow},
		{"FollowTrimmed", testFollowTrimmed},
		{"Key", testKey},
		{"KeyConcurrent", testKeyConcurrent},
		{"KeyBytes", testKeyBytes},
		{"TrimCount", testTrimCount},
		{"TrimBytes", testTrimBytes},
		{"TrimAge", testTrimAge},
		{"HugeBounds", testHugeBounds},
		{"Senders", testSenders},
		{"TooLarge", testTooLarge},
		{"Claims", testClaims},
		{"ClaimedBytes", testClaimedBytes},
		{"ClaimedMessages", testClaimedMessages},
		{"Cursors", testCursors},
		{"CursorsMany", testCursorsMany},
		{"Introduce", testIntroduce},
		{"IntroduceConcurrent", testIntroduceConcurrent},
		{"CursorAge", testCursorAge},
		{"CursorNames", testCursorNames},
		{"Names", testNames},
		{"Addresses", testAddresses},
		{"Subscribe", testSubscribe},
		{"SubscribeDuringAppend", testSubscribeDuringAppend},
		{"Ephemeral", testEphemeral},
		{"Members", testMembers},
		{"Cancel", testCancel},
		{"Close", testClose},
		{"CloseDuringUse", testCloseDuringUse},
		{"Reopen", testReopen},
		{"ReopenDuringUse", testReopenDuringUse},
		{"ReopenTrimmed", testReopenTrimmed},
		{"ReopenKeys", testReopenKeys},
		{"ReopenCursors", testReopenCursors},
		{"ReopenIntroduced", testReopenIntroduced},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &rig{T: t}
			r.layer, r.reopenLayer = newLayer(t)
			test.run(r)
		})
	}
}

// rig is what one test works with.
type rig struct {
	*testing.T
	layer       parley.Layer
	reopenLayer func() parley.Layer
	hubs        []*hub
}

// plenty keeps all that a test appends.
var plenty = parley.Retention{Messages: 1 << 20, Bytes: 1 << 30, Age: 24 * time.Hour}

// hub attaches a hub to the layer that keeps plenty.
func (r *rig) hub() *hub { return r.hubKeeping(plenty) }

func (r *rig) hubKeeping(retention parley.Retention) *hub {
	h := &hub{
		t:         r.T,
		retention: retention,
		changed:   make(chan struct{}),
		handed:    make(map[parley.Address][]parley.Envelope),
		busy:      make(map[parley.Address]bool),
		claims:    make(map[parley.Address]parley.Cursor),
	}
	h.link = r.layer.Attach(h)
	r.hubs = append(r.hubs, h)
	r.Cleanup(func() {
		if !h.over() {
			h.close()
		}
	})
	return h
}

// reopen ends the layer, opens it again, and forgets its hubs. It skips the test
// where the layer keeps nothing.
func (r *rig) reopen() {
	if r.reopenLayer == nil {
		r.Skip("this layer keeps nothing")
	}
	layer := r.reopenLayer()
	for _, h := range r.hubs {
		h.end()
	}
	r.layer, r.hubs = layer, nil
}

// within waits until something happens.
func (r *rig) within(what string, happens <-chan struct{}) {
	r.Helper()
	select {
	case <-happens:
	case <-time.After(patience):
		r.Fatalf("%s did not happen within %v", what, patience)
	}
}

// join waits until goroutines return.
func (r *rig) join(all *sync.WaitGroup) {
	r.Helper()
	returned := make(chan struct{})
	go func() {
		all.Wait()
		close(returned)
	}()
	r.within("the return of all calls", returned)
}

// eventually tries again until ok reports true.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	if ok() {
		return
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(patience); ; {
		select {
		case <-ticker.C:
			if ok() {
				return
			}
		case <-deadline:
			r.Fatalf("%s did not happen within %v", what, patience)
		}
	}
}
