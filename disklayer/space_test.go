package disklayer

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// watcher measures a directory again and again, as du does, until it is stopped.
type watcher struct {
	most atomic.Int64
	stop chan struct{}
	done chan struct{}
}

func watch(t *testing.T, bound int64, measure func() int64) *watcher {
	w := &watcher{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		for over := false; ; {
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
			now := measure()
			w.most.Store(max(w.most.Load(), now))
			if now > bound && !over {
				over = true
				t.Errorf("the directory takes %d KiB, and may take %d", now>>10, bound>>10)
			}
		}
	}()
	t.Cleanup(w.end)
	return w
}

func (w *watcher) end() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	<-w.done
}

// duOf returns what a directory of a file system in memory takes.
func duOf(fs vfs.FS, dir string) func() int64 {
	return func() (all int64) {
		names, _ := fs.List(dir) // it may be gone meanwhile
		for _, name := range names {
			path := fs.PathJoin(dir, name)
			info, err := fs.Stat(path)
			switch {
			case err != nil:
			case info.IsDir():
				all += 4096 + duOf(fs, path)()
			default:
				all += (info.Size() + 4095) / 4096 * 4096
			}
		}
		return all
	}
}

// filler fills a store.
type filler struct {
	t        *testing.T
	users    int
	sizes    []int
	accepted []int // messages of each user
	bytes    int64
}

func (f *filler) user(i int) parley.Address { return parley.User(fmt.Sprint("user ", i)) }

// fill sends until little is accepted: tables that are about to be written may make
// room again.
func (f *filler) fill(link parley.Link) {
	var refused atomic.Int64
	f.send(link, 1<<40, func(err error) bool {
		if err != nil {
			<-time.After(time.Millisecond)
			refused.Add(1)
		}
		return refused.Load() > 1000
	})
}

// fillAgain sends as much as was accepted before, while old messages are trimmed. It
// waits where there is no room.
func (f *filler) fillAgain(link parley.Link) {
	most, deadline := f.bytes, time.Now().Add(time.Minute)
	f.send(link, most, func(err error) bool {
		if err != nil {
			<-time.After(time.Millisecond) // nothing tells when there is room
		}
		return time.Now().After(deadline)
	})
	if f.bytes < most {
		f.t.Errorf("%d KiB were accepted after room was made, want %d", f.bytes>>10, most>>10)
	}
}

// send sends until that many bytes were accepted, or over says so.
func (f *filler) send(link parley.Link, most int64, over func(error) bool) {
	var all sync.WaitGroup
	var mu sync.Mutex
	var bytes int64
	for w := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for {
				i, size := r.IntN(f.users/8)*8+w, f.sizes[r.IntN(len(f.sizes))]
				_, err := send(link, f.user(i), string(randomText(size)), "")
				mu.Lock()
				if err == nil {
					f.accepted[i]++
					bytes += int64(size)
				} else if !isUnavailable(err) {
					f.t.Error(err)
				}
				enough := bytes >= most
				mu.Unlock()
				if enough || over(err) {
					return
				}
			}
		})
	}
	all.Wait()
	f.bytes = bytes
}

// check reads everything.
func (f *filler) check(link parley.Link) {
	f.t.Helper()
	for i, want := range f.accepted {
		if got, missed := texts(f.t, link, f.user(i), parley.Cursor{}); len(got) != want || missed {
			f.t.Errorf("%v has %d messages, want %d; missed %v", f.user(i), len(got), want, missed)
			return
		}
	}
}

// live fills a store to its bound, opens it again, reads all of it, makes room, and
// goes on, twice.
func live(t *testing.T, cfg config, bound int64, measure func() int64, sizes ...int) {
	t.Helper()
	cfg.tick = 50 * time.Millisecond
	w := watch(t, bound, measure)
	l := mustOpen(t, cfg)
	f := &filler{t: t, users: 200, sizes: sizes, accepted: make([]int, 200)}
	link := l.Attach(&hub{keep: keepAll})
	f.fill(link)
	if f.bytes < bound/4 {
		t.Errorf("%d KiB were accepted of a bound of %d", f.bytes>>10, bound>>10)
	}
	t.Logf("%d KiB accepted of %d, the most was %d", f.bytes>>10, bound>>10, w.most.Load()>>10)
	f.check(link)
	kill(l)
	l = mustOpen(t, cfg)
	link = l.Attach(&hub{keep: keepAll})
	f.check(link)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	l = mustOpen(t, cfg)
	link = l.Attach(&hub{keep: keepAll})
	f.check(link)
	_ = link.Close()
	short := keepAll
	short.Bytes = bound / 2000
	link = l.Attach(&hub{keep: short})
	s, err := l.use()
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.users {
		s.keeper.trimSoon(f.user(i))
	}
	for deadline := time.Now().Add(20 * time.Second); l.Health() != nil; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no room was made: %v", l.Health())
		}
	}
	f.fillAgain(link)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	w.end()
	t.Logf("the most was %d KiB", w.most.Load()>>10)
}

// TestBound keeps directories within their bounds at every moment.
func TestBound(t *testing.T) {
	t.Parallel()
	for _, mb := range []int64{8, 16, 100} {
		t.Run(fmt.Sprint(mb), func(t *testing.T) {
			t.Parallel()
			if mb > 8 && os.Getenv("PARLEY_DISKS") == "" {
				t.Skip("PARLEY_DISKS is not set")
			}
			fs := vfs.NewMem()
			cfg := testConfig("data")
			cfg.fs, cfg.MaxBytes = fs, mb<<20
			live(t, cfg, mb<<20, duOf(fs, "data"), 100, 1000, int(mb<<20/4000))
		})
	}
}
