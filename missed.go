package parley

import "github.com/parley-rt/parley/internal/socket"

// Missed tells a receiver of kept messages which of them it does not get.
type Missed struct {
	// Of is the address whose log the messages were in.
	Of Address
	// Cursor is the place behind which messages go on. All before it that the
	// receiver was not given are lost to it.
	Cursor Cursor
	// Messages is how many are lost. It is 0 where that is unknown, because the
	// log began a new epoch, and where Overdue is set.
	Messages int64
	// Overdue says that nothing is lost yet, but may be from now on: the receiver
	// made no progress for [Limits.ClaimTimeout] while messages waited, so the
	// log keeps for it only as much as for somebody who is away.
	Overdue bool
}

// missedBy returns the gap before a page, which is Missed.
func missedBy(of Address, page *Page) Missed {
	at := page.Cursor
	if len(page.Messages) > 0 {
		first := &page.Messages[0]
		at = Cursor{first.Cursor.Epoch, first.Prev}
	}
	return Missed{Of: of, Cursor: at, Messages: page.Lost}
}

// lost counts a gap before a receiver's next messages.
func (h *Hub) lost(messages int64) {
	h.trimmed.Add(messages)
	h.gaps.Add(1)
}

// notice is a call of JoinOptions.Missed that waits for its turn. The page behind
// the gap is handed to the loop after it, so that the program hears of the gap
// first.
type notice struct {
	of     *following
	missed Missed
	page   *socket.Page // nil: none
}

// notify has a connection's program told, in the order of its other calls.
func (c *Conn) notify(n *notice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.push(event{kind: eventMissed, notice: n})
	}
}

// tellMissed makes the call. The follower goes on in any case.
func (c *Conn) tellMissed(n *notice, closing bool) {
	if n.page != nil {
		defer n.of.answer(n.page)
	}
	if !closing {
		c.call("Missed", func() error { n.of.wishes.missed(n.missed); return nil })
	}
}
