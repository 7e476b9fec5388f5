package parley_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rt/parley"
)

// guest makes consumers that identify as a user, unless it is "", and join everyone
// and a group.
func guest(user, group string, conns chan<- *parley.Conn) func() parley.Consumer {
	return func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error {
			conns <- c
			if user != "" {
				if err := c.Identify(user, nil); err != nil {
					return err
				}
			}
			return errors.Join(joinEveryone(c), c.Join(parley.Group(group), nil))
		}}
	}
}

// party is two hubs of one layer with guests.
type party struct {
	hubs  []*parley.Hub
	wires map[string]*wire
	conns map[string]*parley.Conn
}

// newParty has ann at both hubs, once in each group, bob at one, and a guest
// without a name at the other.
func newParty(t *testing.T) party {
	t.Helper()
	layer := parley.NewMemoryLayer()
	p := party{wires: map[string]*wire{}, conns: map[string]*parley.Conn{}}
	for range 2 {
		p.hubs = append(p.hubs, newHub(t, &parley.Options{Layer: layer}))
	}
	for _, g := range []struct {
		name, user, group string
		hub               int
	}{{"ann at 0", "ann", "g", 0}, {"ann at 1", "ann", "h", 1}, {"bob at 0", "bob", "h", 0}, {"guest at 1", "", "g", 1}} {
		conns := make(chan *parley.Conn, 2)
		w, _ := pipe(t, p.hubs[g.hub].Handler(guest(g.user, g.group, conns)))
		p.wires[g.name], p.conns[g.name] = w, <-conns
	}
	synctest.Wait()
	return p
}

// hear holds who hears a message to those who should.
func (p party) hear(t *testing.T, what string, want ...string) {
	t.Helper()
	if err := p.hubs[0].Send(t.Context(), parley.Everyone, parley.Text("end of "+what)); err != nil {
		t.Fatal(err)
	}
	for name, w := range p.wires {
		if slices.Contains(want, name) {
			w.expectMessage(fmt.Sprintf("text %q", what))
		}
		w.expectMessage(fmt.Sprintf("text %q", "end of "+what))
	}
}

// TestAddresses sends to each kind of address, from either hub and by a
// connection.
func TestAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t)
		bob := p.conns["bob at 0"]
		for _, c := range []struct {
			to      parley.Address
			options []parley.SendOption
			want    []string
		}{
			{parley.Everyone, nil, []string{"ann at 0", "ann at 1", "bob at 0", "guest at 1"}},
			{parley.Everyone, []parley.SendOption{parley.Except(bob)}, []string{"ann at 0", "ann at 1", "guest at 1"}},
			{parley.Group("g"), nil, []string{"ann at 0", "guest at 1"}},
			{parley.Group("h"), []parley.SendOption{parley.Except(p.conns["ann at 1"])}, []string{"bob at 0"}},
			{parley.Group("ann"), nil, nil},
			{parley.User("ann"), nil, []string{"ann at 0", "ann at 1"}},
			{parley.User("bob"), nil, []string{"bob at 0"}},
			{parley.User("g"), nil, nil},
			{p.conns["guest at 1"].Address(), nil, []string{"guest at 1"}},
		} {
			for i, send := range []func(context.Context, parley.Address, parley.Message, ...parley.SendOption) error{
				p.hubs[0].Send, p.hubs[1].Send, bob.Send,
			} {
				what := fmt.Sprintf("%v by %d", c.to, i)
				go func() {
					if err := send(t.Context(), c.to, parley.Text(what), c.options...); err != nil {
						t.Error(err)
					}
				}()
				synctest.Wait()
				p.hear(t, what, c.want...)
			}
		}
	})
}

// TestFromAndTo says who a message is from and to.
func TestFromAndTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t)
		heard := make(chan parley.Message)
		ctx, cancel := context.WithCancelCause(t.Context())
		listening, enough := make(chan error), errors.New("enough")
		go func() {
			listening <- p.hubs[1].Listen(ctx, parley.Group("g"), nil, func(m parley.Message) error { heard <- m; return nil })
		}()
		synctest.Wait()
		forged := parley.Message{Data: []byte("a"), Binary: true, From: parley.User("eve"), To: parley.User("eve")}
		for from, send := range map[parley.Address]func(context.Context, parley.Address, parley.Message, ...parley.SendOption) error{
			parley.User("eve"): p.hubs[0].Send,
			parley.User("bob"): p.conns["bob at 0"].Send,
			{}:                 p.conns["guest at 1"].Send,
		} {
			if err := send(t.Context(), parley.Group("g"), forged); err != nil {
				t.Fatal(err)
			}
			m := <-heard
			if m.From != from || m.To != parley.Group("g") || !m.Time.Equal(time.Now()) || !m.Binary || string(m.Data) != "a" {
				t.Errorf("heard %+v, want it from %v", m, from)
			}
			p.wires["ann at 0"].expect(`binary "a"`)
			p.wires["guest at 1"].expect(`binary "a"`)
		}
		cancel(enough)
		if err := <-listening; err != enough {
			t.Errorf("Listen returned %v, want %v", err, enough)
		}
	})
}

// TestMembersAndOnline asks who is there, as connections come and go.
func TestMembersAndOnline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t)
		members := func(of parley.Address) (list []string) {
			for m, err := range p.hubs[1].Members(t.Context(), of) {
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, fmt.Sprintf("%s %d", m.User, m.Connections))
			}
			slices.Sort(list)
			return list
		}
		online := func(user string) bool {
			is, err := p.hubs[1].Online(t.Context(), user)
			if err != nil {
				t.Fatal(err)
			}
			return is
		}
		check := func(of parley.Address, want ...string) {
			t.Helper()
			if got := members(of); !slices.Equal(got, want) {
				t.Errorf("members of %v are %q, want %q", of, got, want)
			}
		}
		check(parley.Everyone, " 1", "ann 1", "ann 1", "bob 1")
		check(parley.Group("g"), " 1", "ann 1")
		check(parley.Group("nobody's"))
		check(parley.User("ann"), "ann 1", "ann 1")
		if !online("ann") || !online("bob") || online("g") {
			t.Error("the wrong users are online")
		}

		ann, bob := p.conns["ann at 0"], p.conns["bob at 0"]
		ann.Leave(parley.Group("g"))
		ann.Leave(parley.Group("g"))
		ann.Leave(parley.User("ann")) // no group
		if err := errors.Join(bob.Join(parley.Group("g"), nil), bob.Join(parley.Group("g"), nil)); err != nil {
			t.Error(err)
		}
		check(parley.Group("g"), " 1", "bob 1")
		check(parley.User("ann"), "ann 1", "ann 1")

		if err := bob.Identify("bob", nil); err != nil {
			t.Error(err)
		}
		conflict, ok := errors.AsType[*parley.Error](bob.Identify("eve", nil))
		if !ok || conflict.Code != parley.Conflict || online("eve") {
			t.Errorf("a second name returned %v", conflict)
		}
		for _, to := range []parley.Address{parley.User("ann"), bob.Address(), {}, parley.Group("")} {
			if err, ok := errors.AsType[*parley.Error](bob.Join(to, nil)); !ok || err.Code != parley.BadRequest {
				t.Errorf("joining %v returned %v", to, err)
			}
		}
		p.wires["bob at 0"].send(closing(1000, ""))
		p.wires["bob at 0"].expect("close 1000", "eof")
		_ = p.wires["ann at 1"].nc.Close()
		synctest.Wait()
		check(parley.Everyone, " 1", "ann 1")
		if !online("ann") || online("bob") {
			t.Error("the wrong users are online after some left")
		}
	})
}

// TestHubClose tells everyone to go, and waits for their consumers.
func TestHubClose(t *testing.T) {
	t.Parallel()
	for _, code := range []parley.CloseCode{parley.CloseGoingAway, parley.CloseServiceRestart} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hub := newHub(t, &parley.Options{ShutdownCode: code})
				goOn, done := make(chan bool), make(chan bool, 3)
				handler := hub.Handler(func() parley.Consumer {
					return consumer{disconnect: func(*parley.Conn, parley.CloseCode) { <-goOn; done <- true }}
				})
				var wires []*wire
				for range cap(done) {
					w, _ := pipe(t, handler)
					wires = append(wires, w)
				}
				closed := make(chan error, 1)
				go func() { closed <- hub.Close(t.Context()) }()
				for _, w := range wires {
					w.expect(fmt.Sprintf("close %d", code))
					w.send(closing(uint16(code), ""))
					w.expect("eof")
				}
				synctest.Wait()
				if len(closed) > 0 {
					t.Error("Close returned before Disconnect did")
				}
				close(goOn)
				if err := <-closed; err != nil || len(done) != cap(done) {
					t.Errorf("Close returned %v after %d consumers", err, len(done))
				}
				if err := hub.Close(t.Context()); err != parley.ErrClosed {
					t.Errorf("a second Close returned %v, want %v", err, parley.ErrClosed)
				}
				if err := hub.Send(t.Context(), parley.Everyone, parley.Text("a")); err != parley.ErrClosed {
					t.Errorf("Send returned %v, want %v", err, parley.ErrClosed)
				}
				if err := hub.Listen(t.Context(), parley.Everyone, nil, nil); err != parley.ErrClosed {
					t.Errorf("Listen returned %v, want %v", err, parley.ErrClosed)
				}
			})
		})
	}
}

// TestHubCloseDeadline returns at its deadline, with what is left, whose
// contexts end.
func TestHubCloseDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, &parley.Options{Limits: parley.Limits{CloseTimeout: time.Hour}})
		var waits consumer
		waits.receive = func(c *parley.Conn, _ parley.Message) error { <-c.Context().Done(); return nil }
		for range 3 {
			w, _ := pipe(t, hub.Handler(func() parley.Consumer { return waits }))
			w.send(text("a"))
			go w.transcript()
		}
		const patience = 7 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		start := time.Now()
		err := hub.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "parley: 3 connections were left: context deadline exceeded" {
			t.Errorf("Close returned %v", err)
		}
		if waited := time.Since(start); waited != patience {
			t.Errorf("Close took %v, want %v", waited, patience)
		}
		synctest.Wait()
		if n := hub.Stats().Connections; n != 0 {
			t.Errorf("%d consumers still wait for the end of their contexts", n)
		}
	})
}
