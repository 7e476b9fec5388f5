//go:build unix

package disklayer

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// BenchmarkCursorWrites is what writing cursors costs, by how often they are written:
// so many inboxes get messages of 128 bytes as fast as they are kept, and each
// acknowledges every one. The intervals take turns of a second, each beside a turn of a
// store that writes no cursors, so that whatever else the machine does hits both.
// Medians are told: messages a second, and processor time for each, as ratios.
func BenchmarkCursorWrites(b *testing.B) {
	for _, inboxes := range []int{1000, 10_000} {
		for _, every := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second} {
			b.Run(fmt.Sprintf("%d/%v", inboxes, every), func(b *testing.B) {
				with, without := acknowledging(b, inboxes, every), acknowledging(b, inboxes, time.Hour)
				var rates, costs, all []float64
				for b.Loop() {
					rate, cost := without()
					r, c := with()
					rates, costs, all = append(rates, r/rate), append(costs, c/cost), append(all, r)
				}
				b.ReportMetric(median(all)/1000, "kmsg/s")
				b.ReportMetric(median(rates), "rate-ratio")
				b.ReportMetric(median(costs), "cpu-ratio")
			})
		}
	}
}

// acknowledging returns a turn, which tells how many messages a second there were, and
// how many microseconds of a processor each took.
func acknowledging(b *testing.B, inboxes int, every time.Duration) func() (rate, cost float64) {
	cfg := testConfig(b.TempDir())
	cfg.saveEvery = every
	keep := parley.Retention{Messages: 1000, Bytes: 16 << 20, Age: time.Hour}
	link := mustOpen(b, cfg).Attach(&hub{keep: keep})
	data := []byte(strings.Repeat("x", 128))
	all := make([]parley.Address, inboxes)
	for i := range all {
		all[i] = parley.User(fmt.Sprint("user ", i))
	}
	room := make(chan struct{}, 4096)
	return func() (rate, cost float64) {
		n := 0
		began, spent := time.Now(), processorTime(b)
		var kept sync.WaitGroup
		for ; time.Since(began) < time.Second; n++ {
			to := all[n%inboxes]
			room <- struct{}{}
			kept.Add(1)
			err := link.Append(b.Context(), parley.Envelope{Message: parley.Message{To: to, Data: data}}, func(s parley.Sent, err error) {
				if err != nil {
					b.Error(err)
				}
				link.Advance(to, "", s.Cursor)
				<-room
				kept.Done()
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		kept.Wait()
		return float64(n) / time.Since(began).Seconds(), float64((processorTime(b) - spent).Microseconds()) / float64(n)
	}
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
