package socket

import "sync/atomic"

// Place is a Position that one goroutine moves while others look at it. The zero
// value is the zero Position.
type Place struct{ epoch, seq atomic.Uint64 }

// Move sets the position. One goroutine at a time may call it.
func (p *Place) Move(to Position) {
	if p.epoch.Load() == to.Epoch {
		p.seq.Store(to.Seq)
		return
	}
	p.epoch.Store(0) // nobody pairs the one's epoch with the other's seq
	p.seq.Store(to.Seq)
	p.epoch.Store(to.Epoch)
}

// Position returns where the place is. Any goroutine may call it. While the epoch
// changes it returns the zero Position.
func (p *Place) Position() Position {
	epoch := p.epoch.Load()
	at := Position{epoch, p.seq.Load()}
	if epoch == 0 || p.epoch.Load() != epoch {
		return Position{}
	}
	return at
}

// own returns the position to whoever moves it.
func (p *Place) own() Position { return Position{p.epoch.Load(), p.seq.Load()} }
