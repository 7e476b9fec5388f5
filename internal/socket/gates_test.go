package socket

import (
	"sync"
	"testing"
)

// pauses has a handler pause when a schedule says so.
type pauses struct {
	mu     sync.Mutex // guards what follows
	wanted bool
	paused bool
	breach bool // something was received while reading was paused
}

func (p *pauses) begin() {
	p.mu.Lock()
	p.wanted = true
	p.mu.Unlock()
}

// receive reports whether to go on.
func (p *pauses) receive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.breach = p.breach || p.paused
	if p.wanted {
		p.wanted, p.paused = false, true
		return false
	}
	return true
}

func (p *pauses) end(t *testing.T, c *Conn) {
	t.Helper()
	p.mu.Lock()
	paused := p.paused
	p.wanted, p.paused = false, false
	p.mu.Unlock()
	if paused {
		check(t, c.Resume())
	}
}

// gate is open at first.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the gate is opened; nil while it is open
}

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case open && g.shut != nil:
		close(g.shut)
		g.shut = nil
	case !open && g.shut == nil:
		g.shut = make(chan struct{})
	}
}

func (g *gate) wait() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}
