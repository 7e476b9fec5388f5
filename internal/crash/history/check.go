package history

import (
	"fmt"
	"slices"

	"github.com/parley-rt/parley"
)

// Kind says which promise a [Violation] breaks.
type Kind string

// The kinds there are.
const (
	Lost        Kind = "lost"         // accepted, or delivered to others, and not delivered to one of its receivers
	Repeated    Kind = "repeated"     // delivered twice from one place in the log
	Disordered  Kind = "disordered"   // delivered behind a later one
	Conflicting Kind = "conflicting"  // two receivers got different messages at one place
	KeptTwice   Kind = "kept twice"   // at two places in the log
	Invented    Kind = "invented"     // delivered, but never sent, or not to this address, or changed
	SenderOrder Kind = "sender order" // kept in another order than its sender's calls
	Misplaced   Kind = "misplaced"    // accepted with another cursor than it was delivered with
	NotTold     Kind = "not told"     // a receiver with a cursor of another life was not told that it missed messages
	ToldWrongly Kind = "told wrongly" // a receiver was told that it missed messages, but did not
	WrongEpoch  Kind = "wrong epoch"  // a cursor of a life that is over, or never was
	Unsettled   Kind = "unsettled"    // a sender was never told what became of a message
	Refused     Kind = "refused"      // a sender was told an error that it had not earned
)

// Violation is a promise that was not kept.
type Violation struct {
	Kind     Kind
	Address  parley.Address
	Receiver string // empty where it is not one receiver's
	ID       ID
	Detail   string
}

func (v Violation) String() string {
	whose := ""
	if v.Receiver != "" {
		whose = " at " + v.Receiver
	}
	return fmt.Sprintf("%s: %v to %v%s: %s", v.Kind, v.ID, v.Address, whose, v.Detail)
}

// Check returns every violation in a history.
func Check(h *History) []Violation {
	c := &checker{History: h, sends: map[ID]*Send{}, lives: map[uint64]int{}, logs: map[place]*log{}}
	for i, life := range h.Lives {
		if _, known := c.lives[life.Epoch]; known {
			c.fail(Violation{Kind: WrongEpoch, Detail: fmt.Sprintf("life %d has the epoch of another one", i)})
		}
		c.lives[life.Epoch] = i
	}
	for i := range h.Sends {
		c.sends[h.Sends[i].ID] = &h.Sends[i]
	}
	c.gather()
	c.checkLogs()
	c.checkSends()
	c.checkInherited()
	for i := range h.Views {
		c.checkView(&h.Views[i])
	}
	return c.found
}

type checker struct {
	*History
	sends map[ID]*Send
	lives map[uint64]int // by epoch
	logs  map[place]*log
	found []Violation
}

// place is where a log is: an address in one life.
type place struct {
	of    parley.Address
	epoch uint64
}

func (c *checker) fail(v Violation) { c.found = append(c.found, v) }

// log returns what is known of an address's log, which may be nothing.
func (c *checker) log(of parley.Address, epoch uint64) *log {
	p := place{of, epoch}
	l := c.logs[p]
	if l == nil {
		l = &log{messages: map[uint64]ID{}, first: map[ID]uint64{}}
		c.logs[p] = l
	}
	return l
}

// last reports whether an epoch is that of the last life.
func (c *checker) last(epoch uint64) bool {
	return len(c.Lives) > 0 && epoch == c.Lives[len(c.Lives)-1].Epoch
}

// Kinds returns which kinds of violations there are, sorted.
func Kinds(of []Violation) []Kind {
	var kinds []Kind
	for _, v := range of {
		kinds = append(kinds, v.Kind)
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
