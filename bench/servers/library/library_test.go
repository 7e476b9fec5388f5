package main

import (
	"context"
	"testing"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	hub := parley.NewHub(nil)
	t.Cleanup(func() {
		if err := hub.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	mux := newMux(hub)
	dial := func(path string) *parleytest.Communicator { return parleytest.Dial(t, mux, path, nil) }

	for _, path := range []string{"/bare/", "/named/ann"} {
		c := dial(path)
		c.Send("hello")
		if got := c.Receive(); got != "hello" {
			t.Errorf("%s: got %q", path, got)
		}
	}
	listeners := []*parleytest.Communicator{dial("/grouped/room0"), dial("/grouped/room1")}
	dial("/spread/room/2").Send("to both")
	for i, c := range listeners {
		if got := c.Receive(); got != "to both" {
			t.Errorf("room%d got %q", i, got)
		}
	}
}
