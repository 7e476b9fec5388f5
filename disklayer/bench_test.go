package disklayer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/parley-rt/parley"
)

// BenchmarkAppend compares synced appends through the layer with those of the
// database alone, on a real directory: so many senders with one append each in
// flight. The two take turns of a tenth of a second, a pair of which is an
// operation, so that whatever else the machine does hits both. Medians are told.
func BenchmarkAppend(b *testing.B) {
	for _, senders := range []int{64, 1} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			raw, layer := rawSender(b), layerSender(b, senders)
			var raws, layers, ratios []float64
			for b.Loop() {
				r, l := turn(b, senders, raw), turn(b, senders, layer)
				raws, layers, ratios = append(raws, r), append(layers, l), append(ratios, l/r)
			}
			b.ReportMetric(median(raws), "raw/s")
			b.ReportMetric(median(layers), "layer/s")
			b.ReportMetric(median(ratios), "layer/raw")
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// rawSender returns how one message is stored in a database with the layer's
// options.
func rawSender(b *testing.B) func(sender, i int) error {
	cfg := testConfig(b.TempDir())
	options := (&store{cfg: &cfg, sizes: cfg.sizes(), fs: newGuardFS(cfg.fs, cfg.dir)}).pebbleOptions()
	options.FS = cfg.fs
	db, err := pebble.Open(cfg.dir, options)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	data := []byte(strings.Repeat("x", 128))
	return func(sender, i int) error {
		key := binary.BigEndian.AppendUint64(fmt.Appendf(nil, "muuser %d", sender), uint64(i))
		return db.Set(key, data, pebble.Sync)
	}
}

// layerSender returns how one message is appended, each sender's to an address of
// its own.
func layerSender(b *testing.B, senders int) func(sender, i int) error {
	link := mustOpen(b, testConfig(b.TempDir())).Attach(&hub{keep: keepAll})
	type sender struct {
		to   parley.Address
		done chan error
		tell func(parley.Sent, error)
	}
	all := make([]sender, senders)
	for i := range all {
		done := make(chan error, 1)
		all[i] = sender{parley.User(fmt.Sprintf("user %d", i)), done, func(_ parley.Sent, err error) { done <- err }}
	}
	data := []byte(strings.Repeat("x", 128))
	return func(n, _ int) error {
		s := &all[n]
		e := parley.Envelope{Message: parley.Message{To: s.to, Data: data}}
		if err := link.Append(b.Context(), e, s.tell); err != nil {
			return err
		}
		return <-s.done
	}
}

// turn has senders append for a tenth of a second, and returns how many appends a
// second that were.
func turn(b *testing.B, senders int, appendOne func(sender, i int) error) float64 {
	var mu sync.Mutex
	var all sync.WaitGroup
	count := 0
	began := time.Now()
	for n := range senders {
		all.Go(func() {
			i := 0
			for ; time.Since(began) < 100*time.Millisecond; i++ {
				if err := appendOne(n, int(began.UnixNano())+i); err != nil {
					b.Error(err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			count += i
		})
	}
	all.Wait()
	return float64(count) / time.Since(began).Seconds()
}

// BenchmarkLogChecks measures what a commit pays for the knowledge that its write-ahead
// log is still there: a stat of its path, and one of its descriptor.
func BenchmarkLogChecks(b *testing.B) {
	name := filepath.Join(b.TempDir(), "000001.log")
	f, err := vfs.Default.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	g := &guardFS{same: func() error { return nil }}
	at, err := g.attach(name)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := errors.Join(at.whole(f, 0), at.check()); err != nil {
			b.Fatal(err)
		}
	}
}
