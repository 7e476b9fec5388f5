package socket

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// TestEngineKeepsNothing opens and ends connections in every way, by either
// side and at any moment: each is told once that it is over, and the wheel and
// the topics are empty in the end.
func TestEngineKeepsNothing(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, cfg Config) {
		rounds := 2000
		if testing.Short() {
			rounds = 200
		}
		cfg.Loops = 3
		e := newTestEngine(t, cfg)
		topic := new(Topic)
		const workers = 8
		var all sync.WaitGroup
		for worker := range uint64(workers) {
			all.Go(func() {
				r := rand.New(rand.NewPCG(worker, 1))
				for range rounds / workers {
					briefly(t, e, topic, r)
				}
			})
		}
		all.Wait()
		for p := topic.all(); p != nil; p = p.next {
			if n := p.count.Load(); n != 0 {
				t.Errorf("the topic counts %d members", n)
			}
			onLoop(t, p.loop, func() {
				if n := len(p.members); n > 0 {
					t.Errorf("the topic holds %d members", n)
				}
			})
		}
		for _, l := range e.loops {
			onLoop(t, l, func() { l.beat(time.Now()) })
			onLoop(t, l, func() {
				for c := range l.wheel.all() {
					t.Errorf("the wheel holds connection %v", c.ID)
				}
				if n := len(l.stalled) + len(l.partial) + len(l.dirty); n > 0 {
					t.Errorf("the loop holds %d connections elsewhere", n)
				}
			})
		}
	})
}

// briefly makes a connection and ends it.
func briefly(t *testing.T, e *Engine, topic *Topic, r *rand.Rand) {
	server, client := kinds[r.IntN(len(kinds))].pair(t)
	defer func() { _ = client.Close() }()
	h, c := newRecorder(), &Conn{}
	h.peer = func(code uint16) {
		go func() { _ = c.Close(code, "") }() // as the handler's own goroutine does
	}
	if err := e.Open(c, server, []byte("response"), h); err != nil {
		t.Error(err)
		return
	}
	early := r.IntN(4) == 0 // ended before it is accepted
	if early {
		end(t, client, c, r.IntN(6))
	}
	h.join(t, c, topic)
	if err := errors.Join(c.Accept(), c.Start(nil)); err != nil {
		t.Error(err)
	}
	if err := e.Publish(t.Context(), topic, Post{Frame: Frame(false, []byte("a")), More: r.IntN(2) == 0}); err != nil {
		t.Error(err)
	}
	if !early {
		end(t, client, c, r.IntN(6))
	}
	await(t, h.closed, "Closed")
	if len(h.closed) > 0 || h.closings() != 1 {
		t.Error("Closing or Closed was called again")
	}
}

// end ends a connection in one of six ways.
func end(t *testing.T, client peer, c *Conn, way int) {
	var err error
	switch way {
	case 0:
		err = client.Close()
	case 1:
		if tcp, ok := client.(*net.TCPConn); ok {
			err = tcp.SetLinger(0)
		}
		_ = client.Close()
	case 2:
		_, err = client.Write(clientFrame(ws.OpClose, ""))
	case 3:
		err = c.Close(codeNormal, "")
		_ = client.Close()
	case 4:
		_, err = client.Write([]byte("GET / HTTP/1.1"))
		_ = client.Close()
	case 5:
		_, err = client.Write(fragment(ws.OpText, "begun"))
		_ = client.Close()
	}
	if err != nil {
		t.Error(err)
	}
}
