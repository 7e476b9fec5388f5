package parley

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// keeper is a hub as a memory layer sees it.
type keeper struct{ retention Retention }

func (k *keeper) Deliver(context.Context, Envelope) error                 { return nil }
func (k *keeper) Retention(Address) Retention                             { return k.retention }
func (k *keeper) LocalMembers(context.Context, Address) ([]Member, error) { return nil, nil }
func (k *keeper) LocalOnline(Address) bool                                { return false }

var someHours = Retention{Messages: 100, Bytes: 1 << 20, Age: 3 * time.Hour}

// attach returns a link that is closed when the test, or its bubble, ends.
func attach(t testing.TB, l *MemoryLayer, retention Retention) Link {
	link := l.Attach(&keeper{retention: retention})
	t.Cleanup(func() { _ = link.Close() })
	return link
}

// appendTo appends a message and waits for the result.
func appendTo(t testing.TB, link Link, to Address, data string, key string) (Sent, error) {
	e := Envelope{Message: Text(data), Key: key}
	e.To = to
	type result struct {
		Sent
		error
	}
	done := make(chan result, 1)
	if err := link.Append(t.Context(), e, func(s Sent, err error) { done <- result{s, err} }); err != nil {
		return Sent{}, err
	}
	r := <-done
	return r.Sent, r.error
}

func mustAppend(t testing.TB, link Link, to Address, data string) Sent {
	t.Helper()
	s, err := appendTo(t, link, to, data, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

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
		for _, log := range s.logs {
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
		if len(s.logs) != len(s.order) {
			t.Errorf("a shard has %d logs, and %d to sweep", len(s.logs), len(s.order))
		}
		logs += len(s.logs)
		s.mu.Unlock()
	}
	if got := l.used.Load(); got != used {
		t.Errorf("%d bytes are counted, and %d used", got, used)
	}
	return used, logs
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

// TestMemoryPlaces has no place of a log that was forgotten come back.
func TestMemoryPlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &MemoryLayer{}
		link, to := attach(t, l, someHours), User("u")
		var old []Sent
		for range 3 {
			old = append(old, mustAppend(t, link, to, "old"))
		}
		time.Sleep(someHours.Age + 1)
		for i := range 500 { // each looks at one log of its shard
			mustAppend(t, link, Group(fmt.Sprint(i%100)), "other")
		}
		if l.shard(to).logs[to] != nil {
			t.Error("a log is not forgotten though all of it is too old")
		}
		head, err := link.Head(t.Context(), to)
		if err != nil || head.Epoch != old[2].Cursor.Epoch || head.Seq < old[2].Cursor.Seq {
			t.Errorf("the head of a log that was forgotten at %v is %v, %v", old[2].Cursor, head, err)
		}
		next := mustAppend(t, link, to, "new")
		if next.Cursor.Seq <= old[2].Cursor.Seq {
			t.Errorf("behind %v comes %v", old[2].Cursor, next.Cursor)
		}
		page, err := link.ReadAfter(t.Context(), to, old[0].Cursor, PageLimit{10, 1000})
		if err != nil || !page.Missed || len(page.Messages) != 1 {
			t.Errorf("behind what was forgotten: %+v, %v", page, err)
		}
		checkUsed(t, l)
	})
}

// TestMemoryKeys remembers keys for a day, and so many.
func TestMemoryKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &MemoryLayer{}
		link, to := attach(t, l, someHours), User("u")
		repeated := func(first Sent) bool {
			again, err := appendTo(t, link, to, "data", "key")
			if err != nil {
				t.Fatal(err)
			}
			return again.Cursor == first.Cursor
		}
		first, _ := appendTo(t, link, to, "data", "key")
		time.Sleep(memoryKeyWindow)
		if !repeated(first) {
			t.Error("a key is forgotten within the window")
		}
		time.Sleep(1)
		if repeated(first) {
			t.Error("a key is known after the window")
		}
		first, _ = appendTo(t, link, to, "data", "key")
		for i := range maxMemoryKeys - 1 {
			_, _ = appendTo(t, link, to, "data", fmt.Sprint(i))
		}
		if !repeated(first) {
			t.Error("a key is forgotten though there are not too many")
		}
		_, _ = appendTo(t, link, to, "data", "one more")
		if repeated(first) {
			t.Error("there are more keys than there may be")
		}
		if n := len(l.shard(to).keys.known); n != maxMemoryKeys {
			t.Errorf("%d keys are known, want %d", n, maxMemoryKeys)
		}
		checkUsed(t, l)
	})
}

// TestMemoryCursorsExpire forgets cursors that nobody moves, one by one.
func TestMemoryCursorsExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &MemoryLayer{}
		link, to := attach(t, l, someHours), User("u")
		at := mustAppend(t, link, to, "data").Cursor
		check := func(want ...string) {
			t.Helper()
			got, err := link.Cursors(t.Context(), to)
			if err != nil || len(got) != len(want) {
				t.Errorf("the cursors are %v, %v; want %v", got, err, want)
			}
			for _, name := range want {
				if got[name] != at {
					t.Errorf("the cursors are %v, want %v", got, want)
				}
			}
		}
		link.Advance(to, "a", at)
		link.Advance(to, "b", at)
		time.Sleep(2 * time.Hour)
		link.Advance(to, "b", Cursor{at.Epoch, 0}) // it stays, and was used
		check("a", "b")
		time.Sleep(2 * time.Hour)
		check("b")
		time.Sleep(2 * time.Hour)
		check()
		if used, logs := checkUsed(t, l); used != logCost+1 || logs != 1 {
			t.Errorf("%d bytes are used by %d logs", used, logs)
		}
		l.sweep()
		if used, logs := checkUsed(t, l); used != 0 || logs != 0 {
			t.Errorf("%d bytes are used by %d logs", used, logs)
		}
	})
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

// TestMemoryQueue lets appends wait while hubs are slow, each until its context
// ends.
func TestMemoryQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		link, to := attach(t, &MemoryLayer{}, someHours), User("u")
		release := make(chan struct{})
		e := Envelope{Message: Text("data")}
		e.To = to
		var told []int
		ctx, cancel := context.WithCancel(t.Context())
		var waited error
		accepted := 0
		go func() {
			for i := 0; waited == nil; i++ {
				waited = link.Append(ctx, e, func(Sent, error) {
					<-release
					told = append(told, i)
				})
				if waited == nil {
					accepted++
				}
			}
		}()
		synctest.Wait()
		if accepted < maxQueue || accepted > 2*maxQueue+1 || waited != nil {
			t.Errorf("%d appends did not wait, %v", accepted, waited)
		}
		cancel()
		synctest.Wait()
		if !errors.Is(waited, context.Canceled) {
			t.Errorf("an append that waits until its context ends returns %v", waited)
		}
		close(release)
		mustAppend(t, link, to, "more")
		if len(told) != accepted || !slices.IsSorted(told) {
			t.Errorf("%d results came of %d, in order: %v", len(told), accepted, slices.IsSorted(told))
		}
	})
}

// TestMemoryGoroutines appends without a goroutine for each message, and leaves
// none behind.
func TestMemoryGoroutines(t *testing.T) {
	l := &MemoryLayer{}
	links := []Link{attach(t, l, someHours), attach(t, l, someHours)}
	before := runtime.NumGoroutine()
	for i := range 10_000 {
		e := Envelope{Message: Text("data")}
		e.To = Group(fmt.Sprint(i))
		if err := links[i%2].Append(t.Context(), e, func(Sent, error) {}); err != nil {
			t.Fatal(err)
		}
		if n := runtime.NumGoroutine() - before; n > memoryShards+10 {
			t.Fatalf("%d goroutines run after %d appends", n, i)
		}
	}
	_ = links[0].Close()
	mustAppend(t, links[1], User("u"), "data")
	_ = links[1].Close()
	for i := range l.shards {
		s := &l.shards[i]
		for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
			s.mu.Lock()
			running := s.running
			s.mu.Unlock()
			if !running {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("a shard runs without a link")
			}
		}
	}
	mustAppend(t, attach(t, l, someHours), User("u"), "data")
}
