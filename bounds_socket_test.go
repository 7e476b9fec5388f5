package parley_test

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// These tests are those of bounds and timeouts on real sockets, for all engines,
// as far as can be told from outside: the kernel's buffers hold something too.

// kernelBytes is more than the kernel holds of a connection.
const kernelBytes = 32 << 20

// TestReceiveQueueOfSockets blocks a consumer: its client cannot write without
// end, and all that it wrote is received in order later.
func TestReceiveQueueOfSockets(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		goOn, last := make(chan bool), make(chan int, 1)
		received, problem := 0, ""
		hub := k.hub(t, &parley.Options{Limits: parley.Limits{ReceiveQueue: 3}})
		w := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{
				receive: func(_ *parley.Conn, m parley.Message) error {
					<-goOn
					if !strings.HasPrefix(string(m.Data), strconv.Itoa(received)+".") {
						problem = fmt.Sprintf("%.10s came as the %dth", m.Data, received)
					}
					received++
					return nil
				},
				disconnect: func(*parley.Conn, parley.CloseCode) { last <- received },
			}
		}).open(t)
		const size = 1 << 16
		fill := strings.Repeat(".", size)
		written, cut := 0, ""
		for bytes := 0; cut == ""; bytes += size {
			if bytes > kernelBytes {
				t.Fatalf("the client could write %d bytes", bytes)
			}
			cut = w.writeAtOnce(t, frame(fin|opBinary, strconv.Itoa(written)+fill))
			written++
		}
		close(goOn)
		extend(t, w.nc)
		if k.transport == "tls" { // which cannot go on after a deadline
			_ = w.nc.Close()
			await(t, last, "Disconnect")
		} else {
			w.send(cut, closing(1000, ""))
			w.expect("close 1000", "eof")
			if n := await(t, last, "Disconnect"); n != written {
				t.Errorf("received %d messages, want %d", n, written)
			}
		}
		if problem != "" {
			t.Error(problem)
		}
	})
}

// writeAtOnce returns what could not be written of s though there was some time.
func (w *wire) writeAtOnce(t *testing.T, s string) (rest string) {
	t.Helper()
	if err := w.nc.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := w.nc.Write([]byte(s))
	if err != nil && !os.IsTimeout(err) {
		t.Fatal(err)
	}
	return s[n:]
}

// TestSlowReaderOfSockets has a client not read for a while: what it gets
// afterwards is whole and in order, up to where it was closed or something was
// dropped. Another one gets everything.
func TestSlowReaderOfSockets(t *testing.T) {
	t.Parallel()
	for _, policy := range []parley.SlowReader{parley.CloseSlow, parley.DropSlow} {
		t.Run(fmt.Sprint(policy), func(t *testing.T) {
			t.Parallel()
			onAll(t, kinds, func(t *testing.T, k kind) { slowReader(t, k, policy) })
		})
	}
}

func slowReader(t *testing.T, k kind, policy parley.SlowReader) {
	hub := k.hub(t, &parley.Options{SlowReader: policy, Limits: parley.Limits{SendQueueBytes: 1 << 18}})
	s := newSite(t, k.transport, hub, func() parley.Consumer { return consumer{connect: joinEveryone} })
	reads, slow := s.open(t), s.open(t)
	const size = 1 << 14
	fill := strings.Repeat(".", size)
	sent := 0
	happened := func() bool { stats := hub.Stats(); return stats.SlowClosed+stats.SlowDropped > 0 }
	for ; sent*size < 2*kernelBytes && !happened(); sent++ {
		if err := hub.Send(t.Context(), parley.Everyone, parley.Text(strconv.Itoa(sent)+fill)); err != nil {
			t.Fatal(err)
		}
		if n := reads.number(); n != sent {
			t.Fatalf("the one that reads got %d, want %d", n, sent)
		}
	}
	for range 2 { // by the second time, the loops have written what they were given before the first
		if err := membersError(t.Context(), hub, parley.Everyone); err != nil {
			t.Fatal(err)
		}
	}
	stats := hub.Stats()
	if policy == parley.CloseSlow && stats.SlowClosed != 1 || policy == parley.DropSlow && stats.SlowDropped == 0 {
		t.Fatalf("got %+v after %d messages", stats, sent)
	}
	if policy == parley.CloseSlow {
		for want := 0; ; want++ {
			if n := slow.number(); n == -1 {
				break
			} else if n != want {
				t.Fatalf("the slow one got %d, want %d", n, want)
			}
		}
		slow.send(closing(4000, ""))
		slow.expect("eof")
		return
	}
	last := -1
	for range sent - int(stats.SlowDropped) {
		n := slow.number()
		if n <= last {
			t.Fatalf("the slow one got %d after %d", n, last)
		}
		last = n
	}
	// It goes on with what is sent now.
	if err := hub.Send(t.Context(), parley.Everyone, parley.Text("end")); err != nil {
		t.Fatal(err)
	}
	slow.expect(`text "end"`)
	reads.expect(`text "end"`)
}

// number returns the number that a message begins with, or -1 for a close frame of
// one that is too slow.
func (w *wire) number() int {
	w.t.Helper()
	op, payload, err := w.read()
	if err != nil {
		w.t.Fatal(err)
	}
	if got := inWords(op, payload); op == opClose {
		if got != "close 4000" {
			w.t.Fatalf("got %s", got)
		}
		return -1
	}
	digits, _, _ := strings.Cut(string(payload), ".")
	n, err := strconv.Atoi(digits)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestTimeoutsOfSockets ends connections whose clients stop reading, answering
// pings, or finishing the closing handshake.
func TestTimeoutsOfSockets(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	for name, c := range map[string]struct {
		limits  parley.Limits
		receive func(*parley.Conn, parley.Message) error
		reads   bool
		code    parley.CloseCode
		stats   parley.Stats
	}{
		"WriteTimeout": {
			parley.Limits{WriteTimeout: limit, PingInterval: 2 * time.Second, SendQueueBytes: 2 * kernelBytes},
			func(c *parley.Conn, _ parley.Message) error {
				return c.Reply(parley.Message{Data: make([]byte, kernelBytes)})
			}, false,
			parley.CloseNoProgress,
			parley.Stats{SlowClosed: 1},
		},
		"CloseTimeout": {
			parley.Limits{CloseTimeout: limit},
			func(c *parley.Conn, _ parley.Message) error { return c.Close(4003, "") }, true,
			parley.CloseKicked,
			parley.Stats{},
		},
		"PingInterval": {
			parley.Limits{PingInterval: limit},
			func(*parley.Conn, parley.Message) error { return nil }, true,
			parley.CloseAbnormal,
			parley.Stats{DeadClosed: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, unlike, func(t *testing.T, k kind) {
				code, hub := make(chan parley.CloseCode, 1), k.hub(t, &parley.Options{Limits: c.limits})
				w := newSite(t, k.transport, hub, func() parley.Consumer {
					return consumer{receive: c.receive, disconnect: func(_ *parley.Conn, c parley.CloseCode) { code <- c }}
				}).open(t)
				start := time.Now()
				w.send(text("a"))
				if c.reads {
					go w.discard()
				}
				got, after := await(t, code, "Disconnect"), time.Since(start)
				if got != c.code || after < limit*9/10 {
					t.Errorf("Disconnect got %v after %v, want %v after %v", got, after, c.code, limit)
				}
				until(t, "the connection is counted", func() bool { return hub.Stats() == c.stats })
			})
		})
	}
}

// discard reads to the end, and answers nothing.
func (w *wire) discard() {
	for {
		if _, _, err := w.read(); err != nil {
			return
		}
	}
}

// TestBatchLeavesInOneReadOfSockets has a client send many messages in one write,
// which its consumer sends on to everyone: each receiver finds all of them in one
// read, most of the time: the machine may be busy with something else.
func TestBatchLeavesInOneReadOfSockets(t *testing.T) {
	for _, k := range kinds[:4] {
		t.Run(k.String(), func(t *testing.T) {
			s := newSite(t, k.transport, k.hub(t, nil), func() parley.Consumer { return consumer{connect: joinEveryone, receive: toEveryone} })
			sender, receiver := s.open(t), s.raw(t, 1)[0]
			const messages, attempts = 30, 51
			var reads []int
			for range attempts {
				sender.send(strings.Repeat(text("a"), messages))
				reads = append(reads, readsOf(t, receiver, messages*len("\x81\x01a")))
				for range messages {
					sender.expect(`text "a"`)
				}
			}
			slices.Sort(reads)
			if median := reads[attempts/2]; median != 1 {
				t.Errorf("%d messages arrive in so many reads: %v", messages, reads)
			}
		})
	}
}

// readsOf returns how many reads it takes to get so many bytes.
func readsOf(t *testing.T, nc net.Conn, size int) (reads int) {
	t.Helper()
	b := make([]byte, size)
	for at := 0; at < size; reads++ {
		n, err := nc.Read(b[at:])
		if err != nil {
			t.Fatal(err)
		}
		at += n
	}
	return reads
}
