package parley

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func isUnavailable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == Unavailable
}

// checkUsed compares what a layer counts with what it holds, and returns it.
func checkUsed(t testing.TB, l *MemoryLayer) (used int64, logs int) {
	t.Helper()
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for _, log := range s.logs.All {
			used += log.cost()
			for i := range log.count {
				used += log.at(i).cost()
			}
			for _, c := range log.cursors {
				used += c.cost()
			}
		}
		for k := s.keys.first; k != nil; k = k.next {
			used += k.cost()
		}
		if s.logs.Len() != len(s.order) {
			t.Errorf("a shard has %d logs, and %d to sweep", s.logs.Len(), len(s.order))
		}
		logs += s.logs.Len()
		s.mu.Unlock()
	}
	if got := l.used.Load(); got != used {
		t.Errorf("%d bytes are counted, and %d used", got, used)
	}
	return used, logs
}

// TestMemoryFullIntroduce introduces devices to a layer that is full: those that are not
// remembered are refused, and taken once there is room.
func TestMemoryFullIntroduce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &MemoryLayer{MaxBytes: 20_000}
		link := attach(t, l, someHours)
		check := func(name string, want bool) {
			t.Helper()
			head, err := link.Head(t.Context(), User(name))
			if err != nil {
				t.Fatal(err)
			}
			err = link.Introduce(t.Context(), User(name), "phone", head)
			if all, _ := link.Cursors(t.Context(), User(name)); (err == nil) != want || (len(all) == 1) != want || !want && !isUnavailable(err) {
				t.Errorf("introducing a device of %s: %v; it has %v", name, err, all)
			}
		}
		check("early", true)
		for n, full := 0, error(nil); full == nil; n++ {
			_, full = appendTo(t, link, User(fmt.Sprint(n)), "", "")
		}
		check("early", true)
		check("late", false)
		time.Sleep(3 * someHours.Age)
		check("late", true)
	})
}

// TestMemoryFull fills a layer, which refuses more until something is too old.
func TestMemoryFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &MemoryLayer{MaxBytes: 100_000}
		link := attach(t, l, someHours)
		var full error
		n := 0
		for ; full == nil; n++ {
			_, full = appendTo(t, link, User(fmt.Sprint(n)), "data", "")
		}
		if !isUnavailable(full) || n < 100 {
			t.Errorf("append %d: %v", n, full)
		}
		if err := link.Health(); !isUnavailable(err) {
			t.Errorf("Health of a full layer: %v", err)
		}
		link.Advance(User("another"), "name", Cursor{l.epoch, 0})
		if used, _ := checkUsed(t, l); used > l.MaxBytes {
			t.Errorf("%d bytes are used of %d", used, l.MaxBytes)
		}
		time.Sleep(someHours.Age - time.Second)
		if _, err := appendTo(t, link, User("late"), "data", ""); !isUnavailable(err) {
			t.Errorf("before anything is too old: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := link.Health(); err != nil {
			t.Errorf("Health when everything is too old: %v", err)
		}
		if used, logs := checkUsed(t, l); used != 0 || logs != 0 {
			t.Errorf("%d bytes are used by %d logs that are too old", used, logs)
		}
		mustAppend(t, link, User("late"), "data")
	})
}

// TestMemoryFullAppend looks for room by itself.
func TestMemoryFullAppend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link := attach(t, &MemoryLayer{MaxBytes: 10_000}, someHours)
		for n := 0; ; n++ {
			if _, err := appendTo(t, link, User(fmt.Sprint(n)), "data", ""); err != nil {
				break
			}
		}
		time.Sleep(someHours.Age + 1)
		mustAppend(t, link, User("late"), "data")
	})
}

// TestMemoryFullRing goes on where a message takes the place of others.
func TestMemoryFullRing(t *testing.T) {
	t.Parallel()
	l := &MemoryLayer{MaxBytes: 10_000}
	link := attach(t, l, Retention{Messages: 10, Bytes: 1000, Age: time.Hour})
	for range 10 {
		mustAppend(t, link, User("u"), "data")
	}
	for i := 0; ; i++ {
		if _, err := appendTo(t, link, Group(fmt.Sprint(i)), "data", ""); err != nil {
			break
		}
	}
	for range 100 {
		mustAppend(t, link, User("u"), "data")
	}
	if _, err := appendTo(t, link, Group("more"), "data", ""); !isUnavailable(err) {
		t.Errorf("appending what has no room: %v", err)
	}
	page, err := link.ReadAfter(t.Context(), User("u"), Cursor{}, PageLimit{100, 1000})
	if err != nil || len(page.Messages) != 10 {
		t.Errorf("%d messages are kept, %v", len(page.Messages), err)
	}
	checkUsed(t, l)
}

// TestMemoryAccount does anything, and counts what is held after.
func TestMemoryAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &MemoryLayer{MaxBytes: 60_000}
		link := attach(t, l, Retention{Messages: 20, Bytes: 600, Age: time.Minute})
		random := rand.New(rand.NewPCG(1, 2))
		var refused int
		for range 20_000 {
			to := User(fmt.Sprint(random.ExpFloat64() * 10)[:1])
			if random.IntN(3) == 0 {
				to = Group(fmt.Sprint(random.IntN(500)))
			}
			switch random.IntN(10) {
			case 0:
				time.Sleep(time.Duration(random.ExpFloat64() * float64(time.Second)))
			case 1:
				head, _ := link.Head(t.Context(), to)
				link.Advance(to, fmt.Sprint(random.IntN(100)), head)
			case 2:
				_, _ = appendTo(t, link, to, "data", fmt.Sprint(random.IntN(100)))
			case 3:
				_, _ = link.ReadAfter(t.Context(), to, Cursor{}, PageLimit{10, 1000})
			default:
				if _, err := appendTo(t, link, to, string(make([]byte, random.IntN(600))), ""); err != nil {
					refused++
				}
			}
			if l.used.Load() > l.MaxBytes {
				t.Fatalf("%d bytes are used of %d", l.used.Load(), l.MaxBytes)
			}
		}
		used, logs := checkUsed(t, l)
		t.Logf("%d bytes used by %d logs; %d messages refused", used, logs, refused)
		time.Sleep(25 * time.Hour)
		l.sweep()
		if used, logs := checkUsed(t, l); used != 0 || logs != 0 {
			t.Errorf("%d bytes are used by %d logs that are too old", used, logs)
		}
	})
}
