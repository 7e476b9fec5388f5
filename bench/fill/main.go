// Command fill stores messages in a data directory of Parley's and goes on until it is killed, as a server might be.
//
// Each of -users users, u0, u1 and so on, gets -each messages, the first ones of all users before the second ones. Message n of user u has the
// number u*each + n, behind an @. The first -read are acknowledged. When all are safe it prints a line, and goes on with messages to others.
package main

import (
	"context"
	crand "crypto/rand"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/disklayer"
)

// stock is what is to be stored.
type stock struct {
	dir                     string
	users, each, read, size int
}

func main() {
	var s stock
	flag.StringVar(&s.dir, "data", "", "the `directory`")
	flag.IntVar(&s.users, "users", 1000, "how many `users` get messages")
	flag.IntVar(&s.each, "each", 10, "how many `messages` each gets")
	flag.IntVar(&s.read, "read", 0, "how many `messages` each has acknowledged")
	flag.IntVar(&s.size, "size", 128, "the `bytes` of a message")
	flag.Parse()
	if err := s.fill(context.Background()); err != nil {
		log.Fatal("fill: ", err)
	}
}

// fill returns only with an error.
func (s *stock) fill(ctx context.Context) error {
	layer, err := disklayer.Open(s.dir, nil)
	if err != nil {
		return err
	}
	w := &writer{link: layer.Attach(local{})}
	for n := range s.each {
		for u := range s.users {
			if err := w.append(ctx, userName(u), s.text(userName(u), u*s.each+n), n+1 == s.read); err != nil {
				return err
			}
		}
	}
	if err := w.settle(); err != nil {
		return err
	}
	if s.read > 0 {
		time.Sleep(writeCursors)
	}
	fmt.Println("full")
	for n := 0; ; n++ {
		if err := w.append(ctx, "more", s.text("more", n), false); err != nil {
			return err
		}
	}
}

func userName(i int) string { return fmt.Sprintf("u%d", i) }

// text is a message as clients send them, of the wanted size, that cannot be compressed much.
func (s *stock) text(to string, number int) string {
	head, tail := `{"message":"`, fmt.Sprintf(`@%010d","to_user":%q}`, number, to)
	size := max(0, s.size-len(head)-len(tail))
	at := rand.IntN(len(noise) - size)
	return head + noise[at:at+size] + tail
}

// noise is letters and digits.
var noise = func() string {
	var b strings.Builder
	for b.Len() < 1<<20 {
		b.WriteString(crand.Text())
	}
	return b.String()
}()

// writer appends messages.
type writer struct {
	link    parley.Link
	pending sync.WaitGroup
	failed  atomic.Pointer[error]
}

// append stores one message, and acknowledges it if wanted.
func (w *writer) append(ctx context.Context, user, text string, read bool) error {
	if err := w.failed.Load(); err != nil {
		return *err
	}
	to := parley.User(user)
	m := parley.Text(text)
	w.pending.Add(1)
	e := parley.Envelope{Message: parley.Message{To: to, Data: m.Data}}
	return w.link.Append(ctx, e, func(sent parley.Sent, err error) {
		defer w.pending.Done()
		switch {
		case err != nil:
			w.failed.Store(&err)
		case read:
			w.link.Advance(to, "", sent.Cursor)
		}
	})
}

// settle waits until all is safe.
func (w *writer) settle() error {
	w.pending.Wait()
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// writeCursors is more than the time within which cursors are written, which nobody is told of.
const writeCursors = 3 * time.Second

// local is a hub with nobody on it.
type local struct{}

func (local) Acknowledged(_ parley.Address, upTo parley.Cursor) parley.Cursor { return upTo }

func (local) Retention(parley.Address) parley.Retention {
	return parley.Retention{Messages: 1000, Bytes: 16 << 20, Age: 30 * 24 * time.Hour}
}
func (local) Deliver(context.Context, parley.Envelope) error { return nil }
func (local) Reread()                                        {}

func (local) LocalOnline(parley.Address) bool { return false }

func (local) LocalMembers(context.Context, parley.Address) ([]parley.Member, error) { return nil, nil }
