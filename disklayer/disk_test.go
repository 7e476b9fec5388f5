package disklayer

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// hub is a parley.Local for tests.
type hub struct {
	keep    parley.Retention
	deliver func(parley.Envelope)
	rereads atomic.Int32
}

var keepAll = parley.Retention{Messages: 1 << 30, Bytes: 1 << 40, Age: 1000 * time.Hour}

func (h *hub) Deliver(_ context.Context, e parley.Envelope) error {
	if h.deliver != nil {
		h.deliver(e)
	}
	return nil
}

// Acknowledged has no claims.
func (h *hub) Acknowledged(_ parley.Address, upTo parley.Cursor) parley.Cursor { return upTo }

func (h *hub) Retention(parley.Address) parley.Retention { return h.keep }
func (h *hub) LocalMembers(context.Context, parley.Address) ([]parley.Member, error) {
	return nil, nil
}
func (h *hub) LocalOnline(parley.Address) bool { return false }

func (h *hub) Reread() { h.rereads.Add(1) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// testConfig is a config of a directory on this machine's disk.
func testConfig(dir string) config {
	return newConfig(dir, &Options{Logger: quiet()})
}

func mustOpen(t testing.TB, cfg config) *Layer {
	t.Helper()
	l, err := open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // a second time, mostly
	return l
}

// send appends a message and waits for its place.
func send(link parley.Link, to parley.Address, data, key string) (parley.Sent, error) {
	e := parley.Envelope{Message: parley.Message{To: to, Data: []byte(data)}, Key: key}
	type result struct {
		sent parley.Sent
		err  error
	}
	done := make(chan result, 1)
	if err := link.Append(context.Background(), e, func(s parley.Sent, err error) { done <- result{s, err} }); err != nil {
		return parley.Sent{}, err
	}
	r := <-done
	return r.sent, r.err
}

func mustSend(t testing.TB, link parley.Link, to parley.Address, data string) parley.Sent {
	t.Helper()
	sent, err := send(link, to, data, "")
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// texts returns all that is kept behind a place.
func texts(t testing.TB, link parley.Link, of parley.Address, after parley.Cursor) (data []string, missed bool) {
	t.Helper()
	for {
		page, err := link.ReadAfter(t.Context(), of, after, parley.PageLimit{Messages: 7, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		missed = missed || page.Missed
		for _, e := range page.Messages {
			data = append(data, string(e.Data))
		}
		if after = page.Cursor; !page.More {
			return data, missed
		}
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { mustSend(t, link, parley.User(fmt.Sprint("user ", i)), fmt.Sprint("to ", i)) })
	}
	for i := range 20 {
		mustSend(t, link, bob, fmt.Sprint(i))
	}
	wg.Wait()
	before, _ := texts(t, link, bob, parley.Cursor{})
	head, _ := link.Head(t.Context(), bob)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, cfg)
	link = l.Attach(&hub{keep: keepAll})
	after, _ := texts(t, link, bob, parley.Cursor{})
	if fmt.Sprint(before) != fmt.Sprint(after) || len(after) != 20 {
		t.Errorf("before %v, after %v", before, after)
	}
	if got, err := link.Head(t.Context(), bob); got != head || err != nil {
		t.Errorf("head %v %v, was %v", got, err, head)
	}
}

// TestLargeMessages keeps messages that fill a memtable each.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	l := mustOpen(t, cfg)
	link := l.Attach(&hub{keep: keepAll})
	for i := range 4 {
		mustSend(t, link, parley.User("bob"), strings.Repeat(fmt.Sprint(i), 12<<20))
	}
	kill(l)
	link = mustOpen(t, cfg).Attach(&hub{keep: keepAll})
	got, _ := texts(t, link, parley.User("bob"), parley.Cursor{})
	if len(got) != 4 {
		t.Fatalf("%d messages are kept", len(got))
	}
	for i, text := range got {
		if len(text) != 12<<20 || text[0] != byte('0'+i) {
			t.Errorf("message %d is %d bytes of %c", i, len(text), text[0])
		}
	}
}

// TestPageEndsWithTail reads a page backward whose last message is the first one in
// memory.
func TestPageEndsWithTail(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	cfg.TailBytes = 8 * 3 * (messageWeight + 1) // three messages of one log
	link := mustOpen(t, cfg).Attach(&hub{keep: keepAll})
	bob := parley.User("bob")
	for i := range 9 {
		mustSend(t, link, bob, fmt.Sprint(i))
	}
	for n := 1; n < 9; n++ {
		page, err := link.ReadBefore(t.Context(), bob, parley.Cursor{}, parley.PageLimit{Messages: n, Bytes: 1000})
		if err != nil || len(page.Messages) != n || !page.More || string(page.Messages[0].Data) != fmt.Sprint(9-n) {
			t.Errorf("a page of %d holds %+v, %v", n, page, err)
		}
	}
}

// TestLongSender keeps messages of senders with names longer than any that a hub
// accepts: their data stays as it is.
func TestLongSender(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	l := mustOpen(t, cfg)
	link, bob := l.Attach(&hub{keep: keepAll}), parley.User("bob")
	sizes := []int{1, 127, 128, 200, 254, 255, 256, 300, 1 << 17}
	var sent sync.WaitGroup
	for i, size := range sizes {
		sent.Add(1)
		m := parley.Message{To: bob, From: parley.User(strings.Repeat("x", size)), Data: []byte("data")}
		e := parley.Envelope{Message: m, Except: parley.ConnID{byte(i)}}
		if err := link.Append(t.Context(), e, func(_ parley.Sent, err error) { sent.Done() }); err != nil {
			t.Fatal(err)
		}
	}
	sent.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, cfg)
	page, err := l.Attach(&hub{keep: keepAll}).ReadAfter(t.Context(), bob, parley.Cursor{}, parley.PageLimit{Messages: 100, Bytes: 1000})
	if err != nil || len(page.Messages) != len(sizes) {
		t.Fatalf("%d messages, %v", len(page.Messages), err)
	}
	for i, e := range page.Messages {
		if string(e.Data) != "data" || len(e.From.Name()) != sizes[i] || e.Except != (parley.ConnID{byte(i)}) {
			t.Errorf("of %d bytes, %d come back, and the data %.20q", sizes[i], len(e.From.Name()), e.Data)
		}
		m, err := l.store.firstMark(bob, e.Cursor.Seq)
		if err != nil || m.bytes != uint64(4*i) {
			t.Errorf("the data of message %d is counted as %d, %v", i, m.bytes, err)
		}
	}
}

// TestAddressKeys has names of all lengths be cut as they were put.
func TestAddressKeys(t *testing.T) {
	t.Parallel()
	for size := range 700 {
		a := parley.Group(strings.Repeat("n", size))
		b := appendAddress(nil, a)
		if got, rest, ok := cutAddress(append(b, "rest"...)); !ok || got != a || string(rest) != "rest" || len(b) != addressSize(a) {
			t.Fatalf("a name of %d bytes comes back with %d, and %q; %v", size, len(got.Name()), rest, ok)
		}
		if _, _, ok := cutAddress(b[:len(b)-1]); ok {
			t.Fatalf("a name of %d bytes that is cut comes back", size)
		}
	}
}
