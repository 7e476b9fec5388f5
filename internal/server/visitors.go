package server

import (
	"container/list"
	"crypto/tls"
	"math"
	"net"
	"net/http"
	"sync"
)

// visitors bounds the connections that are not WebSocket connections, or not yet.
// When there is one too many, the one that did nothing for longest is closed, so
// that those who open many and send nothing do not keep others out.
type visitors struct {
	limit int

	mu     sync.Mutex // guards what follows
	order  list.List  // of net.Conn; whoever did nothing for longest is first
	places map[net.Conn]*list.Element
}

func newVisitors(limit int) *visitors {
	return &visitors{limit: limit, places: make(map[net.Conn]*list.Element)}
}

// visitorsFor is half of what connectionsFor leaves: during an upgrade a
// connection has two descriptors.
func visitorsFor(openFiles uint64) int {
	return int(max(16, min(openFiles/20, math.MaxInt32)))
}

// note is a http.Server's ConnState.
func (v *visitors) note(nc net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if idle := v.arrive(nc); idle != nil {
			_ = idle.Close() // its own goroutine is told
		}
	case http.StateActive:
		v.act(nc)
	case http.StateHijacked, http.StateClosed:
		v.leave(nc)
	}
}

// arrive returns whom to close instead, if anybody.
func (v *visitors) arrive(nc net.Conn) (idle net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.places[nc] = v.order.PushBack(nc)
	if v.order.Len() <= v.limit {
		return nil
	}
	idle = v.order.Remove(v.order.Front()).(net.Conn)
	delete(v.places, idle)
	if t, ok := idle.(*tls.Conn); ok {
		return t.NetConn() // closing TLS would wait for an alert to be written
	}
	return idle
}

func (v *visitors) act(nc net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if at := v.places[nc]; at != nil {
		v.order.MoveToBack(at)
	}
}

func (v *visitors) leave(nc net.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if at := v.places[nc]; at != nil {
		v.order.Remove(at)
		delete(v.places, nc)
	}
}
