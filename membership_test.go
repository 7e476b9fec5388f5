package parley_test

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/parley-rt/parley"
)

// TestMemberships bounds how many addresses a connection joins.
func TestMemberships(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Limits: parley.Limits{Memberships: 3}})
	joined := make(chan error, 5)
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{receive: func(c *parley.Conn, m parley.Message) error {
			for i := range 4 {
				joined <- c.Join(parley.Group(strconv.Itoa(i)), nil)
			}
			c.Leave(parley.Group("0"))
			joined <- c.Join(parley.Group("3"), nil)
			return nil
		}}
	})
	s.open(t).send(text("a"))
	for i, want := range []parley.Code{"", "", "", parley.TooLarge, ""} {
		err := await(t, joined, "Join")
		if told, _ := errors.AsType[*parley.Error](err); (told == nil) != (want == "") || told != nil && told.Code != want {
			t.Errorf("Join %d returned %v, want code %q", i, err, want)
		}
	}
}

// TestIdentifyAtTheLimit has a connection identify when it cannot join any more: it
// is nobody's, and can identify once there is room.
func TestIdentifyAtTheLimit(t *testing.T) {
	t.Parallel()
	hub := newHub(t, &parley.Options{Limits: parley.Limits{Memberships: 1}})
	conns := make(chan *parley.Conn, 1)
	newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error { conns <- c; return nil }}
	}).open(t)
	c := await(t, conns, "Connect")
	if err := c.Join(parley.Group("g"), nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Identify("ann", nil); err == nil || c.User() != "" {
		t.Errorf("Identify returned %v, and the user is %q", err, c.User())
	}
	c.Leave(parley.Group("g"))
	if err := c.Identify("ann", nil); err != nil || c.User() != "ann" {
		t.Errorf("Identify returned %v, and the user is %q", err, c.User())
	}
	if online, err := hub.Online(t.Context(), "ann"); err != nil || !online {
		t.Errorf("Online is %v, %v", online, err)
	}
}

// TestTwoExcepts refuses what an envelope cannot carry.
func TestTwoExcepts(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	conns := make(chan *parley.Conn, 2)
	s := newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error { conns <- c; return nil }}
	})
	s.open(t)
	s.open(t)
	a, b := <-conns, <-conns
	err := hub.Send(t.Context(), parley.Everyone, parley.Text("a"), parley.Except(a), parley.Except(b))
	if told, ok := errors.AsType[*parley.Error](err); !ok || told.Code != parley.BadRequest {
		t.Errorf("got %v, want code %q", err, parley.BadRequest)
	}
	if err := hub.Send(t.Context(), parley.Everyone, parley.Text("a"), parley.Except(a), parley.Except(a)); err != nil {
		t.Error(err)
	}
}

// TestShutdownCode panics on a code that clients would not understand as the
// end of a server, or that may not be sent.
func TestShutdownCode(t *testing.T) {
	t.Parallel()
	for _, code := range []parley.CloseCode{parley.CloseNoStatus, parley.CloseAbnormal, parley.CloseNormal, 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewHub takes ShutdownCode %v", code)
				}
			}()
			hub := parley.NewHub(&parley.Options{ShutdownCode: code})
			_ = hub.Close(context.Background())
		}()
	}
}
