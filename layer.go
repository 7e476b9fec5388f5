package parley

import (
	"context"
	"iter"
)

// Layer carries messages between hubs, in one process or many. [NewMemoryLayer]
// returns the one for a single process.
type Layer interface {
	// Attach connects a hub to the layer until the Link is closed. What may
	// fail, a layer does before.
	Attach(Local) Link
}

// Link is one hub's end of a [Layer]. Its methods are safe for concurrent use.
type Link interface {
	// Send carries e to every hub of the layer, this one included, in the
	// order of the calls of one goroutine. It may wait until ctx ends.
	Send(ctx context.Context, e Envelope) error
	// Members asks every hub for its members of an address.
	Members(ctx context.Context, of Address) iter.Seq2[Member, error]
	// Online reports whether any hub has a member of an address.
	Online(ctx context.Context, of Address) (bool, error)
	// Close ends the link; the hub is told nothing afterwards.
	Close() error
}

// Local is what a [Layer] knows of a hub. Its methods are safe for concurrent
// use.
type Local interface {
	// Deliver hands e to the hub's own connections and listeners.
	Deliver(ctx context.Context, e Envelope) error
	// LocalMembers returns the hub's own members of an address.
	LocalMembers(ctx context.Context, of Address) ([]Member, error)
	// LocalOnline reports whether there is one.
	LocalOnline(of Address) bool
}

// Envelope is a message on its way.
type Envelope struct {
	Message
	Except ConnID // the one connection that does not get it; zero for none
	More   bool   // a hint: the sender's next message follows at once
}
