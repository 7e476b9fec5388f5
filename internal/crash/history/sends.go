package history

import (
	"fmt"
	"time"
)

// checkSends compares what senders were told with what receivers got.
func (c *checker) checkSends() {
	for i := range c.Sends {
		s := &c.Sends[i]
		switch {
		case s.Refused != "":
			c.fail(Violation{Refused, s.To, "", s.ID, s.Refused})
		case len(s.Accepted) == 0:
			c.fail(Violation{Unsettled, s.To, "", s.ID, "neither accepted nor refused"})
		}
		for _, a := range s.Accepted {
			c.checkAcceptance(s, a)
		}
	}
}

func (c *checker) checkAcceptance(s *Send, a Acceptance) {
	if _, known := c.lives[a.Cursor.Epoch]; !known {
		c.fail(Violation{WrongEpoch, s.To, "", s.ID, fmt.Sprintf("accepted in the unknown epoch %x", a.Cursor.Epoch)})
		return
	}
	l := c.log(s.To, a.Cursor.Epoch)
	if other, taken := l.messages[a.Cursor.Seq]; taken && other == s.ID {
		return
	} else if taken {
		c.fail(Violation{Misplaced, s.To, "", s.ID, fmt.Sprintf("accepted at %d, where %v is", a.Cursor.Seq, other)})
		return
	}
	if seq, kept := l.first[s.ID]; kept {
		c.fail(Violation{Misplaced, s.To, "", s.ID, fmt.Sprintf("accepted at %d, delivered at %d", a.Cursor.Seq, seq)})
		return
	}
	// In a life that was cut short nobody may have got it in time.
	if c.last(a.Cursor.Epoch) {
		c.fail(Violation{Lost, s.To, "", s.ID, fmt.Sprintf("accepted at %d, delivered to nobody", a.Cursor.Seq)})
	}
}

// checkInherited looks in the last life for what was accepted before the backups
// that led to it.
func (c *checker) checkInherited() {
	if len(c.Lives) < 2 {
		return
	}
	epoch := c.Lives[len(c.Lives)-1].Epoch
	for i := range c.Sends {
		s := &c.Sends[i]
		if _, there := c.log(s.To, epoch).first[s.ID]; !there && c.inherited(s) {
			c.fail(Violation{Lost, s.To, "", s.ID, "accepted before a backup that does not hold it"})
		}
	}
}

// inherited reports whether every backup since a message was accepted was begun
// when its sender knew that.
func (c *checker) inherited(s *Send) bool {
	for _, a := range s.Accepted {
		if life, known := c.lives[a.Cursor.Epoch]; known && c.copied(life, a.At) {
			return true
		}
	}
	return false
}

// copied reports whether what was accepted in a life at some time was before
// every later life began.
func (c *checker) copied(life int, at time.Duration) bool {
	for _, later := range c.Lives[life+1:] {
		if at >= later.Backup {
			return false
		}
	}
	return true
}
