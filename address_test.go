package parley_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// TestBadAddresses refuses names that are none wherever an address is used.
func TestBadAddresses(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	conns := make(chan *parley.Conn, 1)
	newSite(t, "tcp", hub, func() parley.Consumer {
		return consumer{connect: func(c *parley.Conn) error { conns <- c; return nil }}
	}).open(t)
	c := await(t, conns, "Connect")
	for _, name := range []string{"", strings.Repeat("x", parley.MaxNameBytes+1), "\xff", "a\nb", "\u0085"} {
		group, user := parley.Group(name), parley.User(name)
		_, online := hub.Online(t.Context(), name)
		for what, err := range map[string]error{
			"Join":     c.Join(group, nil),
			"Identify": c.Identify(name, nil),
			"Send":     c.Send(t.Context(), user, parley.Text("a")),
			"hub.Send": hub.Send(t.Context(), group, parley.Text("a")),
			"Listen":   hub.Listen(t.Context(), group, nil, nil),
			"Members":  membersError(t.Context(), hub, user),
			"Online":   online,
		} {
			if told, ok := errors.AsType[*parley.Error](err); !ok || told.Code != parley.BadRequest {
				t.Errorf("%s of %q returned %v, want code %s", what, name, err, parley.BadRequest)
			}
		}
	}
	if user := c.User(); user != "" {
		t.Errorf("the connection is %q's", user)
	}
	for _, code := range []parley.CloseCode{0, 999, 1004, parley.CloseNoStatus, parley.CloseAbnormal, 1015, 2000, 5000} {
		if told, ok := errors.AsType[*parley.Error](c.Close(code, "")); !ok || told.Code != parley.BadRequest {
			t.Errorf("Close with %v returned %v", code, told)
		}
	}
}

func membersError(ctx context.Context, hub *parley.Hub, of parley.Address) error {
	for _, err := range hub.Members(ctx, of) {
		return err
	}
	return nil
}

// TestMembersNeedsTime gives an error, not half of the members, when its context
// ended.
func TestMembersNeedsTime(t *testing.T) {
	t.Parallel()
	hub := newHub(t, nil)
	newSite(t, "tcp", hub, func() parley.Consumer { return consumer{connect: joinEveryone} }).open(t)
	if err := membersError(t.Context(), hub, parley.Everyone); err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5000 {
		found := 0
		for _, err := range hub.Members(ended, parley.Everyone) {
			found++
			if told, ok := errors.AsType[*parley.Error](err); err != nil && (!ok || told.Code != parley.Unavailable) {
				t.Fatalf("got %v, want code %s", err, parley.Unavailable)
			}
		}
		if found != 1 {
			t.Fatal("neither the member nor an error was yielded")
		}
	}
}
