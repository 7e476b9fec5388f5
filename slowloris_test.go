package parley_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// impatient gives messages little time. The interval of pings is short because a
// loop looks at its clock so many times in one.
func impatient() *parley.Options {
	return &parley.Options{Limits: parley.Limits{
		ReceiveGrace: 200 * time.Millisecond, ReceiveRate: 1000,
		PingInterval: 2 * time.Second, CloseTimeout: 400 * time.Millisecond,
	}}
}

// TestSlowMessages has clients begin messages and go on byte by byte, or not at
// all: each is told 1008, and is gone after the close timeout though it goes on.
func TestSlowMessages(t *testing.T) {
	t.Parallel()
	slow := map[string]struct{ begin, again string }{
		"header":                    {framed(fin|opText, 8, 1000)[:3], ""},
		"header, byte by byte":      {"", framed(fin|opBinary, 8, 1<<19)[:9]},
		"payload":                   {framed(fin|opBinary, 2, 10_000), "a"},
		"payload that stops":        {framed(fin|opText, 2, 10_000) + mask("abc"), ""},
		"an announced MiB":          {framed(fin|opBinary, 8, 1<<20), "a"},
		"fragments":                 {frame(opText, "a"), frame(opMore, "a")},
		"fragments, empty":          {frame(opText, ""), frame(opMore, "")},
		"pings in a message":        {frame(opText, "a"), ping("")},
		"ping that stops":           {text("a") + ping("abc")[:7], ""},
		"close frame that is begun": {closing(1000, "why")[:4], ""},
	}
	onAll(t, unlike, func(t *testing.T, k kind) {
		codes := make(chan parley.CloseCode, len(slow))
		s := newSite(t, k.transport, k.hub(t, impatient()), func() parley.Consumer {
			return consumer{disconnect: func(_ *parley.Conn, code parley.CloseCode) { codes <- code }}
		})
		told := make(chan error, len(slow))
		for name, c := range slow {
			w := s.open(t)
			w.send(c.begin)
			go func() { told <- w.dripUntilClosed(name, c.again) }()
		}
		for range slow {
			if err := await(t, told, "a close frame"); err != nil {
				t.Error(err)
			}
		}
		for range slow {
			if code := await(t, codes, "Disconnect"); code != parley.ClosePolicyViolation {
				t.Errorf("Disconnect got %v, want %v", code, parley.ClosePolicyViolation)
			}
		}
	})
}

// dripUntilClosed sends something byte by byte, and again, until the server ended
// the connection, which it must have said why.
func (w *wire) dripUntilClosed(name, again string) error {
	ended := make(chan struct{})
	defer func() { <-ended }()
	over := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond) // a tenth of the rate
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			if again == "" {
				continue
			}
			if _, err := io.WriteString(w.nc, again[i%len(again):][:1]); err != nil {
				return
			}
		}
	}()
	defer close(over)
	for closed := false; ; {
		op, payload, err := w.read()
		switch {
		case errors.Is(err, io.EOF) || err != nil && closed:
			if !closed {
				return fmt.Errorf("%s: not told why", name)
			}
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case op == opClose:
			if closed = inWords(op, payload) == "close 1008"; !closed {
				return fmt.Errorf("%s: %s", name, inWords(op, payload))
			}
		case op != opPing && op != opPong:
			return fmt.Errorf("%s: %s", name, inWords(op, payload))
		}
	}
}

// TestSteadyMessages has clients send slowly, but not more so than the limits
// allow: they are not disturbed.
func TestSteadyMessages(t *testing.T) {
	t.Parallel()
	onAll(t, engines, func(t *testing.T, k kind) {
		opts := impatient()
		opts.Limits.ReceiveGrace, opts.Limits.ReceiveRate = 2*time.Second, 100 // 10 ms for a byte
		w := newSite(t, k.transport, k.hub(t, opts), newEcho).open(t)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		slowly := func(s string) {
			for i := range len(s) {
				<-tick.C
				w.send(s[i : i+1])
			}
		}
		message := long(1200) // two take longer than the grace
		slowly(frame(opText, message) + ping("p") + frame(fin|opMore, message))
		slowly(text("a"))
		w.send(closing(1000, ""))
		compare(t, without(w.transcriptWithPings(), `ping ""`),
			[]string{`pong "p"`, inWords(opText, []byte(message+message)), `text "a"`, "close 1000"})
	})
}

// transcriptWithPings is transcript where the server pings.
func (w *wire) transcriptWithPings() (frames []string) {
	for {
		got := w.next()
		if got == "eof" {
			return frames
		}
		frames = append(frames, got)
		if strings.HasPrefix(got, "close") {
			return frames
		}
	}
}

func without(list []string, what string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == what })
}

// lorisHerd is how many clients are slow at once.
func lorisHerd() int {
	if testing.Short() || raceEnabled {
		return 500
	}
	return 2000
}

// TestAnnouncedBytesTakeNoMemory has many clients announce large messages, and
// send little of them.
func TestAnnouncedBytesTakeNoMemory(t *testing.T) {
	for _, k := range engines {
		t.Run(k.String(), func(t *testing.T) {
			s := newSite(t, k.transport, k.hub(t, nil), newEcho)
			healthy := s.open(t)
			herd := s.raw(t, lorisHerd())
			healthy.roundTrips(10)
			before := heapInUse()
			for _, nc := range herd {
				write(t, nc, framed(fin|opBinary, 8, 1<<20)+"0123456789")
			}
			healthy.roundTrips(100) // behind what came before
			grown := (heapInUse() - before) / len(herd)
			t.Logf("%d bytes of heap for each begun message", grown)
			if grown > 1<<10 {
				t.Errorf("%d bytes of heap for each begun message of 10 bytes", grown)
			}
		})
	}
}

// TestSlowReadersAreBounded has a client read byte by byte while much is sent to
// it: what waits for it is bounded, and it is told to go, and gone.
func TestSlowReadersAreBounded(t *testing.T) {
	t.Parallel()
	onAll(t, unlike, func(t *testing.T, k kind) {
		code := make(chan parley.CloseCode, 1)
		hub := k.hub(t, &parley.Options{Limits: parley.Limits{SendQueueBytes: 1 << 17, CloseTimeout: 400 * time.Millisecond}})
		s := newSite(t, k.transport, hub, func() parley.Consumer {
			return consumer{connect: joinEveryone, disconnect: func(_ *parley.Conn, c parley.CloseCode) { code <- c }}
		})
		w := s.open(t)
		defer readSlowly(w.nc)()
		const size, enough = 1 << 16, 64 << 20 // far more than the kernel's buffers
		sent := 0
		for ; sent < enough && hub.Stats().SlowClosed == 0; sent += size {
			if err := hub.Send(t.Context(), parley.Everyone, parley.Text(long(size))); err != nil {
				t.Fatal(err)
			}
		}
		if got := await(t, code, "Disconnect"); got != parley.CloseNoProgress {
			t.Errorf("Disconnect got %v, want %v", got, parley.CloseNoProgress)
		}
		if stats := hub.Stats(); sent >= enough || stats.SlowClosed != 1 {
			t.Errorf("got %+v after %d bytes, want one closed", stats, sent)
		}
	})
}

// TestSlowClientsHarmNobody has a pair of healthy clients talk while a herd does
// all that the tests above do.
func TestSlowClientsHarmNobody(t *testing.T) {
	for _, k := range engines {
		t.Run(k.String(), func(t *testing.T) {
			// What the herd began may take its time, and so may its reading.
			hub := k.hub(t, &parley.Options{Limits: parley.Limits{ReceiveGrace: time.Hour, WriteTimeout: time.Hour}})
			s := newSite(t, k.transport, hub, func() parley.Consumer { return consumer{connect: joinEveryone, receive: toEveryone} })
			sender, other := s.open(t), s.open(t)
			const messages, attempts = 500, 5
			before := quickest(attempts, func() time.Duration { return talk(sender, other, messages) })
			drips, readers := newSite(t, k.transport, hub, newEcho), newSite(t, k.transport, hub, newGusher)
			herd := drips.raw(t, lorisHerd()*9/10)
			for i, nc := range herd {
				write(t, nc, []string{framed(fin|opText, 2, 60_000), frame(opText, ""), framed(fin|opText, 8, 1<<20)[:2]}[i%3])
			}
			for _, nc := range readers.raw(t, lorisHerd()/10) {
				write(t, nc, text("more"))
			}
			stop := dripAll(t, herd)
			during := quickest(attempts, func() time.Duration { return talk(sender, other, messages) })
			stop()
			t.Logf("99 of 100 messages came within %v, with %d slow clients within %v", before, lorisHerd(), during)
			if limit := before + 5*time.Millisecond; !raceEnabled && during > limit {
				t.Errorf("%d slow clients slow the others down from %v to %v", lorisHerd(), before, during)
			}
			if n, want := hub.Stats().Connections, lorisHerd()+2; n != want {
				t.Errorf("%d connections, want %d", n, want)
			}
		})
	}
}

// quickest returns the least of what several attempts take: what else runs on the
// machine can only add to it.
func quickest(attempts int, measure func() time.Duration) time.Duration {
	least := measure()
	for range attempts - 1 {
		least = min(least, measure())
	}
	return least
}

// talk sends messages from one to both, and returns how long 99 of 100 take to
// get to the other. None may be missing.
func talk(sender, other *wire, messages int) time.Duration {
	sender.t.Helper()
	var took []time.Duration
	for i := range messages {
		m := strconv.Itoa(i)
		want := fmt.Sprintf("text %q", m)
		start := time.Now()
		sender.send(text(m))
		other.expect(want)
		took = append(took, time.Since(start))
		sender.expect(want)
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// gusher answers a message with much.
type gusher struct{ parley.Base }

func newGusher() parley.Consumer { return gusher{} }

func (gusher) Receive(c *parley.Conn, _ parley.Message) error {
	for range 10 {
		if err := c.Reply(parley.Text(long(50_000))); err != nil {
			return err
		}
	}
	return nil
}

// dripAll sends a byte to one after the other, each once a second or so, until it
// is stopped.
func dripAll(t *testing.T, herd []net.Conn) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for at := 0; ; {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			for range len(herd)/100 + 1 {
				nc := herd[at%len(herd)]
				at++
				if at%3 != 0 { // a third has stopped
					write(t, nc, string([]byte{maskKey[0]}))
				}
			}
		}
	}()
	return func() { close(over); <-ended }
}
