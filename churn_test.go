package parley_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestStressChurn connects and disconnects very often, in all ways: each
// connection ends once, and nothing of it is left, neither while the hub goes on
// nor afterwards.
func TestStressChurn(t *testing.T) {
	for k, rounds := range map[kind]int{kinds[0]: 60_000, kinds[1]: 40_000, kinds[2]: 10_000} {
		t.Run(k.String(), func(t *testing.T) {
			if testing.Short() || raceEnabled {
				rounds = 1000
			}
			goroutines, descriptors := parley.Goroutines(), openDescriptors(t)
			all := &churned{}
			s := newSite(t, k.transport, k.hub(t, nil), func() parley.Consumer { return &churner{all: all} })
			before := held(t)
			churn(t, s, rounds)
			until(t, "nothing is left of the connections", func() bool { return parley.Left(s.hub) == "" })
			var after holding
			until(t, "the heap is as before", func() bool { // timers keep connections for the close timeout
				after = held(t)
				return after.heap < before.heap+2<<20
			})
			t.Logf("before: %v; after %d connections: %v", before, rounds, after)
			if after.goroutines > before.goroutines+parley.MaxIdleRunners+5 || after.descriptors > before.descriptors+5 {
				t.Errorf("before: %v; after %d connections: %v", before, rounds, after) // five are the engine's
			}
			hubCloses(t, s.hub)
			s.http.Close()
			if c, d := all.connects.Load(), all.disconnects.Load(); d != c || c < int64(rounds)/2 {
				t.Errorf("%d of %d were connected, %d disconnected", c, rounds, d)
			}
			until(t, "goroutines and descriptors are gone", func() bool {
				return parley.Goroutines() <= goroutines && openDescriptors(t) <= descriptors
			})
		})
	}
}

// holding is what a process holds.
type holding struct{ goroutines, descriptors, heap int }

func (h holding) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d bytes", h.goroutines, h.descriptors, h.heap)
}

func held(t *testing.T) holding {
	return holding{heap: heapInUse(), goroutines: parley.Goroutines(), descriptors: openDescriptors(t)}
}

// churn makes connections, by several goroutines.
func churn(t *testing.T, s *site, rounds int) {
	t.Helper()
	const workers = 8
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for round := range rounds / workers {
				if err := churnOnce(s, endingsOfChurn[(i+round)%len(endingsOfChurn)]); err != nil {
					t.Errorf("%s: %v", endingsOfChurn[(i+round)%len(endingsOfChurn)], err)
					return
				}
			}
		})
	}
	all.Wait()
}

// endingsOfChurn are how the connections of TestStressChurn end.
var endingsOfChurn = []string{
	"reset before the answer", "end before the answer", "end", "reset", "close frame", "half-close", "half a frame",
	"server closes", "server closes, then a reset", "consumer fails", "breach", "half a handshake",
}

// churnOnce makes one connection, and ends it.
func churnOnce(s *site, ending string) error {
	nc, err := s.dial()
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	w := &brief{nc: nc, r: bufio.NewReaderSize(nc, 256)}
	switch ending {
	case "half a handshake":
		return w.write(handshake[:len(handshake)/2])
	case "reset before the answer", "end before the answer":
		return errors.Join(w.write(handshake, text("a")), w.end(ending))
	}
	if err := errors.Join(w.write(handshake, text("a")), w.answered(), w.echoed()); err != nil {
		return err
	}
	return w.end(ending)
}

// brief is a client that leaves nothing with its test.
type brief struct {
	nc net.Conn
	r  *bufio.Reader
}

func (w *brief) write(pieces ...string) error {
	for _, piece := range pieces {
		if _, err := io.WriteString(w.nc, piece); err != nil {
			return err
		}
	}
	return nil
}

// answered reads to the end of the answer to a handshake.
func (w *brief) answered() error {
	for {
		line, err := w.r.ReadSlice('\n')
		if err != nil || len(line) <= len("\r\n") {
			return err
		}
	}
}

func (w *brief) echoed() error { return w.read("\x81\x01a") }

func (w *brief) read(want string) error {
	got := make([]byte, len(want))
	if _, err := io.ReadFull(w.r, got); err != nil || string(got) != want {
		return fmt.Errorf("got %q, want %q: %v", got, want, err)
	}
	return nil
}

// drained reads to the end.
func (w *brief) drained() error {
	_, err := io.Copy(io.Discard, w.r)
	return err
}

func (w *brief) end(ending string) error {
	switch ending {
	case "reset", "reset before the answer":
		return w.reset()
	case "close frame":
		return errors.Join(w.write(closing(1000, "")), w.read("\x88\x02\x03\xe8"), w.drained())
	case "half-close":
		return errors.Join(w.endWriting(), w.drained())
	case "half a frame":
		return errors.Join(w.write(text("abc")[:5]), w.endWriting(), w.drained())
	case "server closes":
		return errors.Join(w.write(text("close")), w.read("\x88\x02\x0f\xa3"), w.write(closing(4003, "")), w.drained())
	case "server closes, then a reset":
		return errors.Join(w.write(text("close")), w.read("\x88\x02\x0f\xa3"), w.reset())
	case "consumer fails":
		return errors.Join(w.write(text("fail")), w.read("\x88\x10\x03\xf3internal error"), w.write(closing(1011, "")), w.drained())
	case "breach":
		return errors.Join(w.write(frame(fin|3, "")), w.drained())
	}
	return nil
}

func (w *brief) endWriting() error { return w.nc.(interface{ CloseWrite() error }).CloseWrite() }

// reset makes the Close that follows one, where there is such a thing.
func (w *brief) reset() error {
	if tcp, ok := w.nc.(*net.TCPConn); ok {
		return tcp.SetLinger(0)
	}
	return nil
}

// churned counts connections.
type churned struct{ connects, disconnects atomic.Int64 }

// churner is a consumer that, every other time, has a user and groups.
type churner struct {
	parley.Base
	all  *churned
	gone atomic.Bool
}

func (f *churner) Connect(c *parley.Conn) error {
	n := f.all.connects.Add(1)
	if n%2 == 0 {
		return nil
	}
	c.Address()
	name := strconv.FormatInt(n%100, 10)
	return errors.Join(c.Identify(name, nil), c.Join(parley.Group(name), nil), joinEveryone(c))
}

func (f *churner) Receive(c *parley.Conn, m parley.Message) error {
	switch string(m.Data) {
	case "close":
		return c.Close(parley.CloseKicked, "")
	case "fail":
		return errors.New("as it was told to")
	}
	if err := c.Join(parley.Group(c.ID().String()), nil); err != nil {
		return err
	}
	return c.Reply(m)
}

func (f *churner) Disconnect(*parley.Conn, parley.CloseCode) {
	if !f.gone.Swap(true) {
		f.all.disconnects.Add(1)
	} else {
		f.all.disconnects.Add(1 << 32)
	}
}

// openDescriptors returns how many descriptors are open, where that is known.
func openDescriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Logf("descriptors are not counted: %v", err)
	}
	return len(entries)
}

// until waits for what tells nobody that it happened.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
