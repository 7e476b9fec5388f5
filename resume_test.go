package parley_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/parley-rt/parley"
)

// TestResumeModel has clients of a group connect, read for a while, be cut off, and
// resume behind their last message, while many send: what each got in all is the
// log, without a gap, a repeat or disorder. Little room makes them read again and
// again what they could not be handed live.
func TestResumeModel(t *testing.T) {
	t.Parallel()
	onWraps(t, unlike, func(t *testing.T, k kind, wrap func(consumer) parley.Consumer) {
		limits := parley.Limits{SendQueueBytes: 20_000, MailboxBytes: 40_000, DeliverQueue: 20}
		if wrap != nil {
			if _, delivers := wrap(consumer{}).(parley.Deliverer); delivers { // its replies are not kept
				limits.SendQueueBytes = 500_000
			}
		}
		hub := k.hub(t, &parley.Options{
			Keep: []parley.KeepRule{{Pattern: "group:*", Messages: 1 << 20, Bytes: 1 << 30}}, Compression: true, Limits: limits,
		})
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			c := consumer{connect: joinAfter}
			if wrap == nil {
				return c
			}
			return wrap(c)
		})
		const senders, each, readers = 4, 80, 8
		m := &resuming{site: s}
		var all sync.WaitGroup
		for i := range readers {
			all.Go(func() { m.read(t, i) })
		}
		var sending sync.WaitGroup
		for i := range senders {
			sending.Go(func() { m.send(t, i, each) })
		}
		sending.Wait()
		m.keep(t, "end")
		all.Wait()
		if stats := hub.Stats(); stats.SlowClosed+stats.SlowDropped+stats.Trimmed > 0 {
			t.Errorf("got %+v", stats)
		}
		messages := kept(t, hub, g, senders*each+1)
		for i := range readers {
			if got := m.got(i); len(got) != len(messages) {
				t.Errorf("reader %d got %d messages, want %d", i, len(got), len(messages))
			} else {
				for at, want := range messages {
					if got[at] != string(want.Data) {
						t.Fatalf("reader %d got %.20s as message %d, want %.20s", i, got[at], at, want.Data)
					}
				}
			}
		}
	})
}

// joinAfter joins the group behind the cursor that the client has.
func joinAfter(c *parley.Conn) error {
	after, err := parley.ParseCursor(c.Request().Header.Get("X-After"))
	return errors.Join(err, c.Join(g, &parley.JoinOptions{After: after}))
}

// resuming is what the goroutines of a model test share.
type resuming struct {
	*site
	places sync.Map // of cursors, by message

	mu  sync.Mutex // guards what follows
	all map[int][]string
}

func (m *resuming) got(reader int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[reader]
}

// keep keeps a message, whose place is known afterwards.
func (m *resuming) keep(t *testing.T, message string) {
	kept := make(chan struct{})
	m.hub.SendAsync(g, parley.Text(message), func(sent parley.Sent, err error) {
		if err != nil {
			t.Error(err)
		}
		m.places.Store(message, sent.Cursor)
		close(kept)
	})
	await(t, kept, "done")
}

func (m *resuming) send(t *testing.T, sender, n int) {
	r := rand.New(rand.NewPCG(uint64(sender), 1))
	for i := range n {
		size := []int{1, 100, 300, 3000, 30_000, 70_000}[r.IntN(6)]
		m.keep(t, fmt.Sprintf("%d of %d.", i, sender)+strings.Repeat(".", size))
	}
}

// read reads to the end, over many connections.
func (m *resuming) read(t *testing.T, reader int) {
	r := rand.New(rand.NewPCG(uint64(reader), 2))
	after := parley.Cursor{Epoch: 1}.String() // of another log: all that there is
	var got []string
	for len(got) == 0 || got[len(got)-1] != "end" {
		headers := map[string]string{"X-After": after}
		w := m.connect(t)
		if r.IntN(2) == 0 {
			headers["Sec-WebSocket-Extensions"], w.deflates = "permessage-deflate", true
		}
		w.send(request(headers))
		w.accepted()
		for range 1 + r.IntN(200) {
			op, payload, err := w.read()
			if err != nil || op&^rsv1 == opClose {
				t.Errorf("reader %d: %x, %v", reader, op, err)
				return
			}
			if op == opPing {
				continue
			}
			got = append(got, string(payload))
			if got[len(got)-1] == "end" {
				break
			}
		}
		if len(got) > 0 {
			place, ok := m.places.Load(got[len(got)-1])
			for !ok { // it came before done was called
				place, ok = m.places.Load(got[len(got)-1])
			}
			after = place.(parley.Cursor).String()
		}
		_ = w.nc.Close()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = make(map[int][]string)
	}
	m.all[reader] = got
}
