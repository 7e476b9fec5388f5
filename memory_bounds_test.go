package parley

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// keeper is a hub as a memory layer sees it.
type keeper struct{ retention Retention }

func (k *keeper) Deliver(context.Context, Envelope) error                 { return nil }
func (k *keeper) Acknowledged(_ Address, upTo Cursor) Cursor              { return upTo }
func (k *keeper) Retention(Address) Retention                             { return k.retention }
func (k *keeper) LocalMembers(context.Context, Address) ([]Member, error) { return nil, nil }
func (k *keeper) Reread()                                                 {}
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

// useShard has the shard of an address look at all its logs, one for each append to
// others.
func useShard(t *testing.T, l *MemoryLayer, link Link, of Address) {
	t.Helper()
	for i, n := 0, 0; n < 10; i++ {
		if to := Group(fmt.Sprint(i)); l.shard(to) == l.shard(of) {
			mustAppend(t, link, to, "other")
			n++
		}
	}
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
		time.Sleep(someHours.CursorAge() + 1)
		useShard(t, l, link, to)
		if l.shard(to).logs.Get(to) != nil {
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
		time.Sleep(time.Nanosecond)
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
		if n := l.shard(to).keys.known.Len(); n != maxMemoryKeys {
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
		time.Sleep(4 * time.Hour)
		link.Advance(to, "b", Cursor{at.Epoch, 0}) // it stays, and was used
		check("a", "b")
		time.Sleep(4 * time.Hour)
		check("b")
		time.Sleep(4 * time.Hour)
		check()
		if page, err := link.ReadAfter(t.Context(), to, Cursor{}, PageLimit{1, 1}); err != nil || page.Lost != 0 {
			t.Errorf("%d messages are lost that a cursor went past, %v", page.Lost, err)
		}
		if used, logs := checkUsed(t, l); used != logCost+1 || logs != 1 {
			t.Errorf("%d bytes are used by %d logs", used, logs)
		}
		l.sweep()
		if used, logs := checkUsed(t, l); used != 0 || logs != 0 {
			t.Errorf("%d bytes are used by %d logs", used, logs)
		}
	})
}

// TestMemoryTellsWhatIsTooOld has messages be too old before anybody had them: they are
// counted for as long as a cursor is remembered, and what a cursor went past is not.
func TestMemoryTellsWhatIsTooOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &MemoryLayer{}
		link := attach(t, l, someHours)
		check := func(to Address, want int64) {
			t.Helper()
			useShard(t, l, link, to)
			page, err := link.ReadAfter(t.Context(), to, Cursor{}, PageLimit{1, 1})
			if err != nil || page.Missed || page.Lost != want || len(page.Messages) > 0 {
				t.Errorf("of %v there is %+v, %v, want %d lost", to, page, err, want)
			}
		}
		ann, bob := User("ann"), User("bob")
		for i := range 5 {
			mustAppend(t, link, ann, "data")
			if at := mustAppend(t, link, bob, "data").Cursor; i == 2 {
				link.Advance(bob, "", at)
			}
		}
		time.Sleep(someHours.Age + time.Minute)
		check(ann, 5)
		if named, err := link.Cursors(t.Context(), bob); err != nil || len(named) != 1 {
			t.Errorf("the cursors of what is too old are %v, %v", named, err)
		}
		time.Sleep(someHours.Age - 2*time.Minute)
		mustAppend(t, link, bob, "data")
		check(ann, 5)
		time.Sleep(someHours.Age + 2*time.Minute)
		check(ann, 0)
		check(bob, 3)
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
	most := Goroutines() + memoryShards + 10
	for i := range 10_000 {
		e := Envelope{Message: Text("data")}
		e.To = Group(fmt.Sprint(i))
		if err := links[i%2].Append(t.Context(), e, func(Sent, error) {}); err != nil {
			t.Fatal(err)
		}
		if runtime.NumGoroutine() > most && Goroutines() > most {
			t.Fatalf("more than %d goroutines run after %d appends", most, i)
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
