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
	users []int
	first int   // the place of the first one's connection among those of the loop
	got   []int // by user: how many messages
	all   int   // messages of all
}

func newCatchUp(loop *load.Loop, stock system.Stock, users ...int) *catchUp {
	c := &catchUp{guard: guard{loop: loop}, stock: stock, users: users, first: loop.Dialled(), got: make([]int, len(users))}
	loop.Handle(c)
	return c
}

// Message takes a message, which must be the user's next one.
func (c *catchUp) Message(to *load.Conn, text []byte) {
	i := to.Index - c.first
	if i < 0 {
		return // a connection from before
	}
	user, got := c.users[i], c.got[i]
	if n, ok := number(text); !ok || n != user*c.stock.Each+c.stock.Read+got || got == c.each() {
		c.fail(fmt.Errorf("user %d got %.100q instead of its message %d of %d", user, text, got, c.each()))
		return
	}
	c.last = c.loop.ReadAt
	c.got[i]++
	c.all++
}

// each is how many messages a user is to get.
func (c *catchUp) each() int { return c.stock.Each - c.stock.Read }

// run connects the users and waits until all have what they missed.
func (c *catchUp) run(to load.Target) error {
	defer c.loop.Handle(nil)
	if _, err := c.loop.Dial(to, len(c.users), func(i int) string { return userName(c.users[i]) }, dialLimit); err != nil {
		return err
	}
	c.last = c.loop.Now()
	for wanted := len(c.users) * c.each(); c.all < wanted; {
		missing := func() string { return fmt.Sprintf("%d of %d messages missing", wanted-c.all, wanted) }
		if err := c.step(missing); err != nil {
			return err
		}
	}
	return c.failure
}
