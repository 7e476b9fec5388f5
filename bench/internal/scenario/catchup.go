package scenario

import (
	"fmt"

	"github.com/parley-rt/parley/bench/internal/load"
	"github.com/parley-rt/parley/bench/internal/system"
)

// catchUp is users who connect and get what they missed: all of a stock that they have not read, in order, once.
type catchUp struct {
	guard
	stock system.Stock
	first int   // the user of the loop's first connection
	got   []int // by connection: how many messages
	all   int   // of all connections
}

func newCatchUp(loop *load.Loop, stock system.Stock, first, users int) *catchUp {
	c := &catchUp{guard: guard{loop: loop, last: loop.Now()}, stock: stock, first: first, got: make([]int, users)}
	loop.Handle(c)
	return c
}

// Message takes a message, which must be the user's next one.
func (c *catchUp) Message(to *load.Conn, text []byte) {
	want := (c.first+to.Index)*c.stock.Each + c.stock.Read + c.got[to.Index]
	if n, ok := number(text); !ok || n != want || c.got[to.Index] == c.each() {
		c.fail(fmt.Errorf("user %d got %.100q instead of its message %d of %d", c.first+to.Index, text, c.got[to.Index], c.each()))
		return
	}
	c.last = c.loop.ReadAt
	c.got[to.Index]++
	c.all++
}

// each is how many messages a user is to get.
func (c *catchUp) each() int { return c.stock.Each - c.stock.Read }

// run connects the users and waits until all have what they missed.
func (c *catchUp) run(to load.Target) error {
	if _, err := c.loop.Dial(to, len(c.got), func(i int) string { return userName(c.first + i) }, dialLimit); err != nil {
		return err
	}
	c.last = c.loop.Now()
	for wanted := len(c.got) * c.each(); c.all < wanted; {
		missing := func() string { return fmt.Sprintf("%d of %d messages missing", wanted-c.all, wanted) }
		if err := c.step(missing); err != nil {
			return err
		}
	}
	return c.failure
}
