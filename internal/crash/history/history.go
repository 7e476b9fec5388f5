// Package history holds what senders and receivers of kept messages saw, and
// tells whether that keeps the promises: what was accepted reached each of its
// receivers, in one order, once, and nothing else did.
package history

import (
	"fmt"
	"time"

	"github.com/parley-rt/parley"
)

// History is what was seen of a server whose messages are never trimmed, from
// its first start until every receiver had time to get all. Each of those joined
// before anything was sent.
type History struct {
	Lives []Life // oldest first
	Sends []Send // those of one sender in the order of its calls
	Views []View
}

// Life is the time between two restored backups; it has an epoch of its own.
type Life struct {
	Epoch  uint64
	Backup time.Duration // when the backup that it began with was begun, in the life before
}

// ID names a message. Zero is none.
type ID uint64

// NewID returns the ID of a sender's call. Calls count from 1.
func NewID(sender, call uint32) ID { return ID(sender)<<32 | ID(call) }

// Sender returns who sent the message.
func (id ID) Sender() uint32 { return uint32(id >> 32) }

// Call returns which of the sender's it is.
func (id ID) Call() uint32 { return uint32(id) }

func (id ID) String() string {
	if id == 0 {
		return "what nobody sent"
	}
	return fmt.Sprintf("message %d of sender %d", id.Call(), id.Sender())
}

// Send is a message that was sent under a key of its own, again and again, until
// the sender was told what became of it.
type Send struct {
	ID       ID
	To       parley.Address
	Accepted []Acceptance
	Failed   bool   // the sender was told so once, and tried again: other calls may have gone before
	Refused  string // with what error, for good
}

// Acceptance is what a sender was told, and when.
type Acceptance struct {
	Cursor parley.Cursor
	At     time.Duration
}

// View is what one receiver saw of one address, over all its connections. Each
// of them joined after the cursor of what came last, unless it Acknowledges.
type View struct {
	Receiver     string
	Address      parley.Address
	Acknowledges bool // the server knows how far it got, if not to the last message: it may get some again
	Events       []Event
}

// Event is a join or a delivery.
type Event struct {
	Join *Join // nil for a delivery

	Cursor parley.Cursor
	ID     ID // zero for what is not, to the byte, something that was sent
}

// Join is a request to go on, and its answer.
type Join struct {
	After, At parley.Cursor
	Missed    bool
}

// Repeats returns how often the receiver was delivered a message that it had been
// delivered before, and how often any.
func (v *View) Repeats() (again, all int) {
	seen := map[parley.Cursor]bool{}
	for i := range v.Events {
		e := &v.Events[i]
		if e.Join != nil {
			continue
		}
		all++
		if seen[e.Cursor] {
			again++
		}
		seen[e.Cursor] = true
	}
	return again, all
}
