package parley_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-rt/parley"
)

// TestSoak runs random configurations with tiny limits, random senders and random
// clients: each device gets every kept message of its user and its group, in order,
// and everything ends. PARLEY_SOAK is how many there are, and PARLEY_SOAK_SEED the
// seed of the first.
func TestSoak(t *testing.T) {
	count, first := soakNumber(t, "PARLEY_SOAK", 24), soakNumber(t, "PARLEY_SOAK_SEED", 1)
	before := parley.Goroutines()
	t.Run("seed", func(t *testing.T) {
		for seed := first; seed < first+count; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				soak(t, seed)
			})
		}
	})
	until(t, "all goroutines are gone", func() bool { return parley.Goroutines() <= before })
}

func soakNumber(t *testing.T, name string, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// soaking is a run of one configuration.
type soaking struct {
	soakConfig
	t         *testing.T
	seed      uint64
	hubs      []*parley.Hub
	sites     []*site
	log       soakLog
	receivers []*soakReceiver
	ready     sync.WaitGroup // receivers that did not join for the first time yet
	ending    chan struct{}  // closed when all is sent: nobody rests or goes any more
}

// soakPatience is how long a run may take from the last message on.
const soakPatience = 30 * time.Second

func soak(t *testing.T, seed uint64) {
	s := &soaking{soakConfig: newSoakConfig(seed), t: t, seed: seed, log: newSoakLog(), ending: make(chan struct{})}
	t.Logf("PARLEY_SOAK=1 PARLEY_SOAK_SEED=%d: %+v", seed, s.soakConfig)
	s.serve()
	s.receive()
	s.closeAll()
	for _, v := range s.receivers {
		v.check()
	}
	s.log.checkSenders(t)
}

// serve starts the hubs.
func (s *soaking) serve() {
	layer := parley.NewMemoryLayer()
	for range s.soakConfig.hubs {
		hub := s.on.hub(s.t, s.options(layer))
		server := httptest.NewUnstartedServer(hub.Handler(s.newConsumer))
		if s.narrow {
			server.Config.ConnContext = narrowed
		}
		s.hubs = append(s.hubs, hub)
		s.sites = append(s.sites, serveBy(s.t, s.on.transport, hub, server))
	}
}

// receive has everybody receive what everybody sends.
func (s *soaking) receive() {
	var receiving, sending sync.WaitGroup
	s.newReceivers()
	ctx, cut := context.WithCancel(s.t.Context())
	defer cut()
	for _, v := range s.receivers {
		receiving.Go(func() { v.receive(ctx) })
	}
	s.ready.Wait()
	for range s.sleepers {
		w := &wire{t: s.t}
		if err := w.dial(s.sites[0], map[string]string{"X-Sleeper": "yes"}, s.narrow); err != nil {
			s.t.Error(err)
			continue
		}
		defer func() { _ = w.nc.Close() }()
	}
	for i := range s.senders {
		sending.Go(func() { s.sendByHub(soakRandom(s.seed, 1<<32+uint64(i)), i) })
		sending.Go(func() { s.sendByClient(soakRandom(s.seed, 1<<33+uint64(i)), s.senders+i) })
	}
	sending.Wait()
	last := s.log.stream(2 * s.senders)
	for i := range s.addresses() {
		s.keep(last, i, "end")
	}
	s.log.settle(s.t)
	close(s.ending)
	defer time.AfterFunc(soakPatience, cut).Stop()
	receiving.Wait()
}

// addresses are those whose messages are kept: the group's and the users'.
func (s *soaking) addresses() []parley.Address {
	all := []parley.Address{parley.Group("kept")}
	for i := range s.users {
		all = append(all, parley.User("u"+strconv.Itoa(i)))
	}
	return all
}

func (s *soaking) anyHub(rng *rand.Rand) *parley.Hub { return s.hubs[rng.IntN(len(s.hubs))] }

// size returns a size of a message: mostly small.
func (s *soaking) size(rng *rand.Rand) int {
	if rng.IntN(8) == 0 {
		return rng.IntN(s.large)
	}
	return rng.IntN(60)
}

// sendByHub sends on behalf of the program, also what is not kept.
func (s *soaking) sendByHub(rng *rand.Rand, number int) {
	stream := s.log.stream(number)
	stream.hub = s.anyHub(rng)
	all := append(s.addresses(), parley.Everyone)
	for range s.messages {
		if rng.IntN(3) == 0 {
			err := s.anyHub(rng).Send(s.t.Context(), all[rng.IntN(len(all))], parley.Text("not kept "+strings.Repeat("-", s.size(rng))), parley.Keep(false))
			if err != nil {
				s.t.Error(err)
			}
		}
		s.keep(stream, rng.IntN(len(all)-1), strings.Repeat(".", s.size(rng)))
		s.rest(rng)
	}
}

// rest is a sender's time between bursts.
func (s *soaking) rest(rng *rand.Rand) {
	if s.pace > 0 && rng.IntN(8) == 0 {
		soakRest(s.t.Context(), time.Duration(rng.Int64N(int64(s.pace))), nil)
	}
}

// keep sends a kept message to one of the addresses.
func (s *soaking) keep(stream *soakStream, to int, text string) {
	hub := stream.hub
	if hub == nil {
		hub = s.hubs[0]
	}
	address := s.addresses()[to]
	id, done := stream.next(address)
	hub.SendAsync(address, parley.Text(fmt.Sprintf("%d %s", id, text)), done)
}

// sendByClient has a client send messages, which its consumer sends on.
func (s *soaking) sendByClient(rng *rand.Rand, number int) {
	w := &wire{t: s.t}
	site := s.sites[rng.IntN(len(s.sites))]
	if err := w.dial(site, map[string]string{"X-Sender": strconv.Itoa(number)}, false); err != nil {
		s.t.Error(err)
		return
	}
	defer func() { _ = w.nc.Close() }()
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			op, payload, err := w.read()
			if err != nil || op == opClose {
				return
			}
			if op == opPing {
				_, _ = w.nc.Write([]byte(frame(fin|opPong, string(payload))))
			}
		}
	})
	for range s.messages {
		m := fmt.Sprintf("%d %s", rng.IntN(1+s.users), strings.Repeat(",", s.size(rng)))
		if _, err := w.nc.Write([]byte(text(m))); err != nil {
			break // what was not sent nobody waits for
		}
		s.rest(rng)
	}
	_, _ = w.nc.Write([]byte(closing(1000, ""))) // answered once all is sent on
	reading.Wait()
}

// newConsumer is of receivers' and senders' connections.
func (s *soaking) newConsumer() parley.Consumer {
	c := &soakConsumer{soaking: s}
	switch s.soakConfig.consumer {
	case "encoder":
		return struct {
			parley.Consumer
			parley.Encoder
		}{c, asIs{}}
	case "deliverer":
		return soakDeliverer{c}
	case "both":
		return struct {
			soakDeliverer
			parley.Encoder
		}{soakDeliverer{c}, asIs{}}
	}
	return c
}

// soakConsumer is a consumer whose calls must not overlap.
type soakConsumer struct {
	*soaking
	inside atomic.Bool
	rng    *rand.Rand  // of the calls, so the race detector looks too
	stream *soakStream // of a sender
}

// enter begins a call, and the function that it returns ends it.
func (c *soakConsumer) enter() (leave func()) {
	if !c.inside.CompareAndSwap(false, true) {
		c.t.Error("calls of one consumer overlap")
		return func() {}
	}
	return func() { c.inside.Store(false) }
}

// rest takes the program's time, once in so many calls.
func (c *soakConsumer) rest(conn *parley.Conn, seldom int) {
	if c.busy && c.rng.IntN(seldom) == 0 {
		soakRest(conn.Context(), time.Duration(c.rng.IntN(20))*time.Millisecond, c.ending)
	}
}

func (c *soakConsumer) Connect(conn *parley.Conn) error {
	c.rng = soakRandom(c.seed, 1<<34)
	defer c.enter()()
	header := conn.Request().Header
	if header.Get("X-Sleeper") != "" {
		return conn.Join(parley.Everyone, nil)
	}
	if number, err := strconv.Atoi(header.Get("X-Sender")); err == nil {
		c.stream = c.log.stream(number)
		return nil
	}
	i, err := strconv.Atoi(header.Get("X-Receiver"))
	if err != nil {
		return err
	}
	return c.join(conn, c.receivers[i], header.Get("X-After"))
}

func (c *soakConsumer) join(conn *parley.Conn, v *soakReceiver, place string) error {
	after, err := parley.ParseCursor(place)
	if err != nil {
		return err
	}
	inbox := &parley.JoinOptions{Device: v.device}
	if c.rng.IntN(2) == 0 {
		inbox.Joined = func(_ parley.Cursor, missed bool) {
			defer c.enter()()
			c.rest(conn, 2)
			v.told(missed)
		}
	}
	group := &parley.JoinOptions{After: after, Joined: func(at parley.Cursor, missed bool) {
		defer c.enter()()
		c.rest(conn, 2)
		v.told(missed)
		v.begin(at)
	}}
	return errors.Join(conn.Join(parley.Everyone, nil), conn.Identify(v.user, inbox), conn.Join(parley.Group("kept"), group))
}

// Receive sends a client's message on.
func (c *soakConsumer) Receive(conn *parley.Conn, m parley.Message) error {
	defer c.enter()()
	number, text, _ := strings.Cut(string(m.Data), " ")
	to, err := strconv.Atoi(number)
	if err != nil || c.stream == nil {
		return fmt.Errorf("a client said %.50q", m.Data)
	}
	address := c.addresses()[to]
	id, done := c.stream.next(address)
	conn.SendAsync(address, parley.Text(fmt.Sprintf("%d %s", id, text)), done)
	return nil
}

func (c *soakConsumer) Disconnect(*parley.Conn, parley.CloseCode) { c.enter()() }

// soakDeliverer passes everything on, and takes its time.
type soakDeliverer struct{ *soakConsumer }

func (d soakDeliverer) Deliver(c *parley.Conn, m parley.Message) error {
	defer d.enter()()
	d.rest(c, 20)
	return c.Reply(m)
}

// soakRest waits, and is woken by a channel or the end of ctx.
func soakRest(ctx context.Context, d time.Duration, woken <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-woken:
	case <-ctx.Done():
	}
}

// closeAll ends the hubs, in time and with nothing left.
func (s *soaking) closeAll() {
	for _, hub := range s.hubs {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		closed := make(chan error, 1)
		go func() { closed <- hub.Close(ctx) }()
		select {
		case err := <-closed:
			if err != nil {
				s.t.Error(err)
			}
		case <-time.After(patience + 10*time.Second):
			s.t.Error("Close does not return")
		}
		cancel()
		if left := parley.Left(hub); left != "" {
			s.t.Error(left)
		}
	}
}
