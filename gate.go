package parley

import "sync"

// gate counts those inside, and once closed lets nobody in.
type gate struct {
	mu     sync.Mutex // guards what follows
	n      int
	closed bool
	empty  chan struct{} // made by close; closed when n is 0
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.n++
	}
	return !g.closed
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.closed && g.n == 0 {
		close(g.empty)
	}
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
}

// close returns a channel that is closed once all have left, and false if the
// gate was closed before.
func (g *gate) close() (<-chan struct{}, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	g.closed, g.empty = true, make(chan struct{})
	if g.n == 0 {
		close(g.empty)
	}
	return g.empty, true
}
