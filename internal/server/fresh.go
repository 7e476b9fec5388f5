package server

import (
	"net"
	"net/http"
	"sync"
)

// fresh knows the connections on which no request came yet. Browsers open such
// ones ahead of need, and http.Server.Shutdown would wait five seconds for them.
type fresh struct {
	mu    sync.Mutex // guards what follows
	conns map[net.Conn]struct{}
}

// track is an http.Server's ConnState.
func (f *fresh) track(nc net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == http.StateNew {
		f.conns[nc] = struct{}{}
	} else {
		delete(f.conns, nc)
	}
}

func (f *fresh) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for nc := range f.conns {
		_ = nc.Close() // nobody has asked anything on it
	}
}
