package parley_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/parley-rt/parley"
)

// errEnough ends a listener.
var errEnough = errors.New("enough")

// hearAll listens until a message "end" comes, and returns those before it.
func hearAll(t *testing.T, hub *parley.Hub, to parley.Address, opts parley.ListenOptions, each func(parley.Message)) (heard []parley.Message) {
	t.Helper()
	err := hub.Listen(t.Context(), to, &opts, func(m parley.Message) error {
		if string(m.Data) == "end" {
			return errEnough
		}
		heard = append(heard, m)
		if each != nil {
			each(m)
		}
		return nil
	})
	if err != errEnough {
		t.Fatal(err)
	}
	return heard
}

// sendNumbers keeps the numbers from a to b, not b itself.
func sendNumbers(t *testing.T, hub *parley.Hub, to parley.Address, from, until int) {
	t.Helper()
	for i := range until - from {
		if err := hub.Send(t.Context(), to, parley.Text(strconv.Itoa(from+i))); err != nil {
			t.Error(err)
		}
	}
}

func end(t *testing.T, hub *parley.Hub, to parley.Address) {
	t.Helper()
	if err := hub.Send(t.Context(), to, parley.Text("end")); err != nil {
		t.Error(err)
	}
}

// isNumbers holds messages to be the numbers from a to b, not b itself.
func isNumbers(t *testing.T, messages []parley.Message, from, until int) {
	t.Helper()
	for i, m := range messages {
		if string(m.Data) != strconv.Itoa(from+i) || m.Cursor.IsZero() {
			t.Fatalf("message %d is %q at %v, want %d", i, m.Data, m.Cursor, from+i)
		}
	}
	if len(messages) != until-from {
		t.Errorf("heard %d messages, want %d", len(messages), until-from)
	}
}

// TestListenAfter goes on where a listener was before, over more pages than one,
// with messages that come meanwhile.
func TestListenAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, nil)
		bob := parley.User("bob")
		const before, then = 10, 700
		var last parley.Cursor
		started := func() {
			go func() {
				sendNumbers(t, hub, bob, 1, before)
				end(t, hub, bob)
			}()
		}
		sendNumbers(t, hub, bob, 0, 1) // before: not heard
		heard := hearAll(t, hub, bob, parley.ListenOptions{Started: started}, func(m parley.Message) { last = m.Cursor })
		isNumbers(t, heard, 1, before)

		last = heard[4].Cursor // 5 was the last
		sendNumbers(t, hub, bob, before, then)
		var again []parley.Message
		ends := 0
		err := hub.Listen(t.Context(), bob, &parley.ListenOptions{After: last}, func(m parley.Message) error {
			if string(m.Data) == "end" {
				if ends++; ends == 2 {
					return errEnough
				}
				return nil
			}
			again = append(again, m)
			switch len(again) {
			case 1: // these are queued, and read from the log too
				sendNumbers(t, hub, bob, then, then+100)
			case then + 100 - 6:
				end(t, hub, bob)
			}
			return nil
		})
		if err != errEnough {
			t.Error(err)
		}
		isNumbers(t, again, 6, then+100)
		if s := hub.Stats(); s.ListenMissed != 0 || s.Trimmed != 0 {
			t.Errorf("got %+v, want nothing missed", s)
		}
	})
}

// TestListenKeptQueue has a listener be slower than its queue is long: what is
// kept comes all the same, and of the rest what fits.
func TestListenKeptQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, nil)
		bob := parley.User("bob")
		const n, queue = 300, 5
		goOn := make(chan bool)
		started := func() {
			go func() {
				sendNumbers(t, hub, bob, 0, n)
				for range 10 {
					if err := hub.Send(t.Context(), bob, parley.Text("ephemeral"), parley.Keep(false)); err != nil {
						t.Error(err)
					}
				}
				synctest.Wait()
				close(goOn)
			}()
		}
		heard := make(chan parley.Message, n+queue)
		go func() {
			defer close(heard)
			hearAll(t, hub, bob, parley.ListenOptions{Queue: queue, Started: started}, func(m parley.Message) {
				<-goOn
				heard <- m
			})
		}()
		<-goOn
		synctest.Wait()
		if got := len(heard); got != n { // the queue was full of them when the others came
			t.Errorf("heard %d, want %d", got, n)
		}
		end(t, hub, bob)
		var numbers []parley.Message
		for m := range heard {
			numbers = append(numbers, m)
		}
		isNumbers(t, numbers, 0, n)
		if s := hub.Stats(); s.ListenMissed != 10 || s.Trimmed != 0 {
			t.Errorf("got %+v, want 10 missed, and no gap", s)
		}
	})
}

// TestListenMissed tells where a log cannot go on, and goes on with its oldest.
func TestListenMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:*", Messages: 10, Bytes: 30}}})
		g := parley.Group("g")
		sendNumbers(t, hub, g, 0, 100)
		var missed []int64
		opts := parley.ListenOptions{
			After: parley.Cursor{Epoch: 1, Seq: 5}, Queue: 1,
			Missed: func(m parley.Missed) { missed = append(missed, m.Messages) },
		}
		heard := hearAll(t, hub, g, opts, func(m parley.Message) {
			switch string(m.Data) {
			case "91": // too slow for as many
				sendNumbers(t, hub, g, 100, 150)
			case "149":
				end(t, hub, g)
			}
		})
		isNumbers(t, heard[:11], 90, 101) // 100 was queued
		isNumbers(t, heard[11:], 140, 150)
		// The first place is of another epoch: nobody knows how many are lost.
		if s := hub.Stats(); !slices.Equal(missed, []int64{0, 39}) || s.Trimmed != 39 || s.Gaps != 2 || s.ListenMissed != 0 {
			t.Errorf("missed %d, and got %+v", missed, s)
		}
		opts.After = heard[20].Cursor
		opts.After.Seq += 1000 // beyond the head
		heard = hearAll(t, hub, g, opts, nil)
		isNumbers(t, heard, 141, 150)
		if len(missed) != 3 {
			t.Errorf("missed %d, want 3 gaps", missed)
		}
	})
}

// TestListenOnlyToKept refuses a place in a log that is none.
func TestListenOnlyToKept(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	err := hub.Listen(t.Context(), parley.Group("g"), &parley.ListenOptions{After: parley.Cursor{Epoch: 1}}, nil)
	if codeOf(err) != parley.BadRequest {
		t.Errorf("Listen returned %v", err)
	}
}

// TestListenDeclares declares an interest for as long as a listener is there.
func TestListenDeclares(t *testing.T) {
	t.Parallel()
	declared := map[parley.Address]int{}
	refuse := errors.New("refused")
	layer := &meddling{subscribe: func(to parley.Address, n int) error {
		if to == parley.Group("refused") {
			return refuse
		}
		declared[to] += n
		return nil
	}}
	hub := newHub(t, &parley.Options{Layer: layer})
	for _, to := range []parley.Address{parley.Group("g"), parley.User("bob")} {
		ctx, cancel := context.WithCancelCause(t.Context())
		started := func() {
			if declared[to] != 1 {
				t.Errorf("declared %d interests in %v, want one", declared[to], to)
			}
			cancel(errEnough)
		}
		if err := hub.Listen(ctx, to, &parley.ListenOptions{Started: started}, nil); err != errEnough {
			t.Error(err)
		}
		if declared[to] != 0 {
			t.Errorf("%d interests in %v are left", declared[to], to)
		}
	}
	if err := hub.Listen(t.Context(), parley.Group("refused"), nil, nil); err != refuse {
		t.Errorf("Listen returned %v, want %v", err, refuse)
	}
}

// TestListenEnds ends while it reads a log: with f's error, with the layer's, with
// ctx, and with the hub.
func TestListenEnds(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		read func() error
		each func(hub *parley.Hub, cancel context.CancelCauseFunc) error
		want error
	}{
		"f":         {each: func(*parley.Hub, context.CancelCauseFunc) error { return errEnough }, want: errEnough},
		"the layer": {read: func() error { return broken }, want: broken},
		"ctx":       {each: func(_ *parley.Hub, cancel context.CancelCauseFunc) error { cancel(errEnough); return nil }, want: errEnough},
		"the hub": {each: func(hub *parley.Hub, _ context.CancelCauseFunc) error {
			go func() { _ = hub.Close(context.Background()) }()
			synctest.Wait()
			return nil
		}, want: parley.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				layer := &meddling{}
				hub := parley.NewHub(&parley.Options{Layer: layer})
				sendNumbers(t, hub, parley.User("bob"), 0, 10)
				if c.read != nil {
					layer.readAfter = func(context.Context, parley.Address, parley.Cursor, parley.PageLimit, parley.Link) (parley.Page, error) {
						return parley.Page{}, c.read()
					}
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				calls := 0
				err := hub.Listen(ctx, parley.User("bob"), &parley.ListenOptions{After: parley.Cursor{Epoch: 1}}, func(parley.Message) error {
					calls++
					return c.each(hub, cancel)
				})
				if err != c.want || calls > 1 {
					t.Errorf("Listen returned %v after %d calls, want %v", err, calls, c.want)
				}
				_ = hub.Close(context.Background())
			})
		})
	}
}

// TestStressListen has listeners with short queues hear what many keep at once:
// all of it, once, and in the same order, whenever they come and go.
func TestStressListen(t *testing.T) {
	t.Parallel()
	layer := parley.NewMemoryLayer()
	opts := func() *parley.Options {
		return &parley.Options{Layer: layer, Keep: []parley.KeepRule{{Pattern: "group:*", Messages: 1 << 20}}}
	}
	hubs := []*parley.Hub{newHub(t, opts()), newHub(t, opts())}
	const senders, listeners = 4, 6
	each := 2000
	if testing.Short() {
		each = 300
	}
	g := parley.Group("g")
	var orders [listeners][]string
	var listening, sending, started sync.WaitGroup
	started.Add(listeners)
	for i := range orders {
		listening.Go(func() {
			ready := started.Done
			var at parley.Cursor
			for len(orders[i]) < senders*each {
				stay := rand.IntN(senders * each)
				err := hubs[i%2].Listen(t.Context(), g, &parley.ListenOptions{After: at, Queue: 1 + i*3, Started: ready}, func(m parley.Message) error {
					at = m.Cursor
					orders[i] = append(orders[i], string(m.Data))
					if stay--; stay <= 0 || len(orders[i]) == senders*each {
						return errEnough
					}
					return nil
				})
				if err != errEnough {
					t.Error(err)
					return
				}
				ready = nil
			}
		})
	}
	started.Wait()
	for s := range senders {
		sending.Go(func() {
			done := func(_ parley.Sent, err error) {
				if err != nil {
					t.Error(err)
				}
			}
			for i := range each {
				hubs[s%2].SendAsync(g, parley.Text(fmt.Sprint(s, " ", i)), done)
			}
		})
	}
	sending.Wait()
	listening.Wait()
	for i := range orders {
		if !slices.Equal(orders[i], orders[0]) {
			t.Errorf("listener %d heard another order than the first one", i)
		}
	}
	isEachOnce(t, orders[0], senders, each)
}

// isEachOnce holds an order to each sender's.
func isEachOnce(t *testing.T, order []string, senders, each int) {
	t.Helper()
	next := make([]int, senders)
	for _, text := range order {
		var s, i int
		if _, err := fmt.Sscan(text, &s, &i); err != nil || next[s] != i {
			t.Fatalf("heard %s, want %d %d: %v", text, s, next[s], err)
		}
		next[s]++
	}
	if slices.Max(next) != each || slices.Min(next) != each {
		t.Errorf("heard of each sender %d", next)
	}
}

// TestListenToWhatOthersKeep has a hub that does not keep what another one does:
// its listeners are as slow as for what nobody keeps.
func TestListenToWhatOthersKeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		layer, g := parley.NewMemoryLayer(), parley.Group("g")
		keeps := newHub(t, &parley.Options{Layer: layer, Keep: keepAll()})
		does := newHub(t, &parley.Options{Layer: layer, Keep: []parley.KeepRule{}})
		var heard []string
		err := does.Listen(t.Context(), g, &parley.ListenOptions{
			Queue:   3,
			Started: func() { sendNumbers(t, keeps, g, 0, 10) },
		}, func(m parley.Message) error {
			if heard = append(heard, string(m.Data)); len(heard) == 3 {
				return errEnough
			}
			return nil
		})
		if want := []string{"0", "1", "2"}; err != errEnough || !slices.Equal(heard, want) {
			t.Errorf("Listen returned %v, and heard %q, want %q", err, heard, want)
		}
		if s := does.Stats(); s.ListenMissed != 7 || s.Trimmed != 0 {
			t.Errorf("got %+v, want 7 missed", s)
		}
	})
}
