package disklayer

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// BenchmarkAppend measures synced appends on a real directory: raw is the
// database alone, each sender with one db.Set in flight; layer the same through
// the layer, each sender to an address of its own.
func BenchmarkAppend(b *testing.B) {
	data := []byte(strings.Repeat("x", 128))
	for _, senders := range []int{64, 1} {
		var raw float64
		b.Run(fmt.Sprintf("raw/%d", senders), func(b *testing.B) {
			raw = benchmarkRaw(b, senders, data)
		})
		b.Run(fmt.Sprintf("layer/%d", senders), func(b *testing.B) {
			rate := benchmarkLayer(b, senders, data)
			if raw > 0 {
				b.ReportMetric(rate/raw, "of-raw")
			}
		})
	}
}

func benchmarkRaw(b *testing.B, senders int, data []byte) float64 {
	cfg := testConfig(b.TempDir())
	options := (&store{cfg: &cfg, fs: newGuardFS(cfg.fs, cfg.dir)}).pebbleOptions()
	options.FS = cfg.fs
	db, err := pebble.Open(cfg.dir, options)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	return senderLoop(b, senders, func(sender, i int) error {
		key := binary.BigEndian.AppendUint64(fmt.Appendf(nil, "muuser %d", sender), uint64(i))
		return db.Set(key, data, pebble.Sync)
	})
}

func benchmarkLayer(b *testing.B, senders int, data []byte) float64 {
	l := mustOpen(b, testConfig(b.TempDir()))
	defer l.Close()
	link := l.Attach(&hub{keep: keepAll})
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
	return senderLoop(b, senders, func(n, _ int) error {
		s := &all[n]
		e := parley.Envelope{Message: parley.Message{To: s.to, Data: data}}
		if err := link.Append(b.Context(), e, s.tell); err != nil {
			return err
		}
		return <-s.done
	})
}

// senderLoop has senders append b.N times in all, and returns how many that were
// a second.
func senderLoop(b *testing.B, senders int, appendOne func(sender, i int) error) float64 {
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for n := range senders {
		wg.Go(func() {
			for i := 0; left.Add(-1) >= 0; i++ {
				if err := appendOne(n, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "appends/s")
	return rate
}
