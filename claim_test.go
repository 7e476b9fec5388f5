package parley_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestClaimHoldsMessages sends more to who is connected, and did not read yet, than
// the rule's count: all of it comes.
func TestClaimHoldsMessages(t *testing.T) {
	t.Parallel()
	onWraps(t, engines, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		hub := k.hub(t, &parley.Options{
			Keep:   []parley.KeepRule{{Pattern: "user:*", Messages: 10}, {Pattern: "group:*", Messages: 10}},
			Limits: parley.Limits{SendQueueBytes: 600, DeliverQueue: 4, MailboxBytes: 3000},
		})
		m := newMail(t, k, hub, wrap)
		const n = 500
		inbox, group := m.as(t, "bob", nil), m.in(t, parley.Group("g"), nil)
		for _, to := range []parley.Address{bob, parley.Group("g")} {
			keep(t, hub, to, 0, n)
		}
		inbox.numbers(0, n)
		group.numbers(0, n)
		inbox.acknowledge()
		if s := hub.Stats(); s.Trimmed != 0 || s.Gaps != 0 || s.SlowClosed+s.SlowDropped != 0 {
			t.Errorf("something was lost: %+v", s)
		}
	})
}

// TestClaimOfListener has a function be slower than its messages come.
func TestClaimOfListener(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:*", Messages: 10}}})
	g, started, goOn := parley.Group("g"), make(chan struct{}), make(chan struct{})
	var got []string
	ended := make(chan error, 1)
	go func() {
		ended <- hub.Listen(t.Context(), g, &parley.ListenOptions{Queue: 1, Started: func() { close(started) }}, func(m parley.Message) error {
			<-goOn
			if got = append(got, string(m.Data)); len(got) == 200 {
				return errEnough
			}
			return nil
		})
	}()
	await(t, started, "Started")
	keep(t, hub, g, 0, 200)
	close(goOn)
	if err := await(t, ended, "Listen"); err != errEnough {
		t.Fatal(err)
	}
	for i, text := range got {
		if text != strconv.Itoa(i) {
			t.Fatalf("message %d is %s", i, text)
		}
	}
}

// sendSized sends a message of so many bytes, and returns how that ended.
func sendSized(t testing.TB, hub *parley.Hub, to parley.Address, size int) error {
	t.Helper()
	done, results := collect(1)
	hub.SendAsync(to, parley.Text(strings.Repeat("x", size)), done)
	return await(t, results, "done").err
}

// TestClaimFullInbox fills an inbox: it refuses what its device has no room for, others
// do not, and it takes more once the device acknowledged.
func TestClaimFullInbox(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "user:*", Messages: 5, Bytes: 1000}}})
		m := newMail(t, k, hub, nil)
		w := m.as(t, "bob", nil)
		w.quiet()
		for i := range 10 {
			if err := sendSized(t, hub, bob, 100); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		for range 3 {
			if err := sendSized(t, hub, bob, 100); !hasCode(err, parley.Unavailable) {
				t.Fatalf("a full inbox: %v", err)
			}
			if err := sendSized(t, hub, parley.User("ann"), 100); err != nil {
				t.Fatalf("another inbox: %v", err)
			}
		}
		for range 10 {
			w.expectMessage(fmt.Sprintf("text %q", strings.Repeat("x", 100)))
		}
		w.acknowledge()
		if err := sendSized(t, hub, bob, 100); err != nil {
			t.Fatalf("with all acknowledged: %v", err)
		}
		m.leave(t, bob, w)
		for range 30 {
			if err := sendSized(t, hub, bob, 100); err != nil {
				t.Fatalf("an inbox without a device: %v", err)
			}
		}
		if s := hub.Stats(); s.Trimmed != 0 {
			t.Errorf("%d messages were lost", s.Trimmed)
		}
	})
}

// TestClaimFullOfSmall fills an inbox with messages of no size: their number is
// bounded too.
func TestClaimFullOfSmall(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "user:*", Messages: 5, Bytes: 6400}}})
	m := newMail(t, engines[0], hub, nil)
	m.as(t, "bob", nil).quiet()
	n := 0
	for sendSized(t, hub, bob, 0) == nil {
		n++
	}
	if n != 100 {
		t.Errorf("an inbox of 6,400 bytes holds %d empty messages, want 100", n)
	}
}

// TestClaimGroupMovesOn has one member be too slow for a group's bytes: the group goes
// on, and the member is told how much it lost, in its place.
func TestClaimGroupMovesOn(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{
			Keep:   []parley.KeepRule{{Pattern: "group:*", Messages: 5, Bytes: 1000}},
			Limits: parley.Limits{DeliverQueue: 4},
		})
		goOn := make(chan struct{})
		m := newMail(t, k, hub, func(c consumer) parley.Consumer {
			return deliverer{c, func(c *parley.Conn, m parley.Message) error {
				<-goOn
				return c.Reply(parley.Text(string(m.Data[:3])))
			}}
		})
		g := parley.Group("g")
		w := m.connects(t, func(c *parley.Conn) error {
			return c.Join(g, &parley.JoinOptions{Missed: func(m parley.Missed) {
				if err := c.Reply(parley.Text(fmt.Sprintf("%d lost", m.Messages))); err != nil {
					t.Error(err)
				}
			}})
		})
		const n = 100
		for i := range n {
			done, results := collect(1)
			hub.SendAsync(g, parley.Text(fmt.Sprintf("%-100d", 100+i)), done)
			if r := await(t, results, "done"); r.err != nil {
				t.Fatal(r.err)
			}
		}
		close(goOn)
		want, told, gaps := 100, 0, 0
		for want < 100+n {
			switch got := w.next(); {
			case got == fmt.Sprintf("text \"%d\"", want):
				want++
			case strings.HasSuffix(got, ` lost"`):
				n := 0
				if _, err := fmt.Sscanf(got, `text "%d lost"`, &n); err != nil {
					t.Fatal(err)
				}
				want, told, gaps = want+n, told+n, gaps+1
			default:
				t.Fatalf("got %s, want %d", got, want)
			}
		}
		if s := hub.Stats(); told == 0 || s.Trimmed != int64(told) || s.Gaps != int64(gaps) {
			t.Errorf("%d were told to be lost, and counted: %+v", told, s)
		}
	})
}

// TestClaimEnds has a device acknowledge nothing: it is told that its claim ended, and
// the log is trimmed. Once it acknowledges it has a claim again.
func TestClaimEnds(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{
			Keep:   []parley.KeepRule{{Pattern: "user:*", Messages: 5, Bytes: 10_000}},
			Limits: parley.Limits{ClaimTimeout: 50 * time.Millisecond},
		})
		m := newMail(t, k, hub, nil)
		opts, missed := misses(parley.JoinOptions{})
		w := m.as(t, "bob", opts)
		w.quiet()
		keep(t, hub, bob, 0, 20)
		if got := await(t, missed, "Missed"); got != (parley.Missed{Of: bob, Overdue: true}) {
			t.Errorf("told %+v", got)
		}
		if s := hub.Stats(); s.ClaimsEnded != 1 || s.Trimmed != 0 {
			t.Errorf("counted %+v", s)
		}
		if log, want := readLog(t, hub, bob), []string{"16", "17", "18", "19"}; !slices.Equal(log, want) {
			t.Errorf("the log holds %q, want %q", log, want)
		}
		w.numbers(0, 20)
		w.numbers(endOfLog, endOfLog+1)
		w.acknowledge()
		keep(t, hub, bob, 20, 40)
		if log := readLog(t, hub, bob); len(log) != 20 {
			t.Errorf("with a claim again the log holds %q", log)
		}
	})
}

// readLog returns the texts in a log, to which it sends "end".
func readLog(t *testing.T, hub *parley.Hub, of parley.Address) (texts []string) {
	t.Helper()
	keep(t, hub, of, endOfLog, endOfLog+1)
	oldest := parley.Cursor{Epoch: 1, Seq: 1} // of no epoch there is: all follows
	err := hub.Listen(t.Context(), of, &parley.ListenOptions{After: oldest}, func(m parley.Message) error {
		if string(m.Data) == strconv.Itoa(endOfLog) {
			return errEnough
		}
		texts = append(texts, string(m.Data))
		return nil
	})
	if err != errEnough {
		t.Fatal(err)
	}
	return texts
}

const endOfLog = 1 << 20

// TestClaimsOfManyMembers trims a group with more members than are looked at each
// time, while they come and go.
func TestClaimsOfManyMembers(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:*", Messages: 10}}})
	m := newMail(t, engines[0], hub, nil)
	g := parley.Group("g")
	var members []*wire
	for range 100 {
		members = append(members, m.in(t, g, nil))
	}
	keep(t, hub, g, 0, 300)
	var all sync.WaitGroup
	for _, w := range members {
		all.Go(func() { w.numbers(0, 300) })
	}
	all.Wait()
	if s := hub.Stats(); s.Gaps != 0 {
		t.Errorf("counted %+v", s)
	}
}

// TestMissedWhileAway trims an inbox whose user is away: at the next connection the
// program is told how many messages are gone, before the first one that is left.
func TestMissedWhileAway(t *testing.T) {
	t.Parallel()
	onWraps(t, engines, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		hub := k.hub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "user:*", Messages: 10}}})
		m := newMail(t, k, hub, wrap)
		keep(t, hub, bob, 0, 3)
		w := m.as(t, "bob", nil)
		w.numbers(0, 3)
		w.acknowledge()
		m.leave(t, bob, w)
		keep(t, hub, bob, 3, 50)
		w = m.connects(t, func(c *parley.Conn) error {
			return c.Identify("bob", &parley.JoinOptions{Missed: func(m parley.Missed) {
				if err := c.Reply(parley.Text(fmt.Sprintf("%v: %d lost", m.Of, m.Messages))); err != nil {
					t.Error(err)
				}
			}})
		})
		w.expectMessage(`text "user:bob: 37 lost"`)
		w.numbers(40, 50)
		if s := hub.Stats(); s.Trimmed != 37 || s.Gaps != 1 {
			t.Errorf("counted %+v", s)
		}
	})
}

// TestMissedOfAnotherLog resumes from a place of another epoch, and from one of a log
// without messages.
func TestMissedOfAnotherLog(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Keep: []parley.KeepRule{{Pattern: "group:*"}}})
		m := newMail(t, k, hub, nil)
		g := parley.Group("g")
		for _, n := range []int{0, 2} {
			keep(t, hub, g, 0, n)
			opts, missed := misses(parley.JoinOptions{After: parley.Cursor{Epoch: 1, Seq: 1}})
			w := m.in(t, g, opts)
			if got := await(t, missed, "Missed"); got.Of != g || got.Messages != 0 || got.Cursor.IsZero() || got.Overdue {
				t.Errorf("told %+v", got)
			}
			w.numbers(0, n)
		}
	})
}

func hasCode(err error, code parley.Code) bool {
	told, ok := errors.AsType[*parley.Error](err)
	return ok && told.Code == code
}
