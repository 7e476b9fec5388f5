package main

import (
	"errors"
	"strconv"

	"github.com/parley-rt/parley"
)

// bare answers each message with itself.
type bare struct{ parley.Base }

func (bare) Receive(c *parley.Conn, m parley.Message) error { return c.Reply(m) }

// lobby is the group of all that have a name.
var lobby = parley.Group("lobby")

// named is a user's connection; what it sends goes to all connections of that user.
type named struct{ parley.Base }

func (named) Connect(c *parley.Conn) error {
	return errors.Join(c.Identify(c.Request().PathValue("user"), nil), c.Join(lobby, nil))
}

func (named) Receive(c *parley.Conn, m parley.Message) error {
	return c.Send(c.Context(), parley.User(c.User()), m)
}

// grouped is in one group and says nothing.
type grouped struct{ parley.Base }

func (grouped) Connect(c *parley.Conn) error {
	return c.Join(parley.Group(c.Request().PathValue("group")), nil)
}

// spread has the program send what comes to a number of groups, one after the other.
type spread struct {
	parley.Base
	groups []parley.Address
}

func (s *spread) Connect(c *parley.Conn) error {
	n, err := strconv.Atoi(c.Request().PathValue("n"))
	if err != nil {
		return &parley.Error{Code: parley.BadRequest, Message: "the number of groups is not a number"}
	}
	for i := range n {
		s.groups = append(s.groups, parley.Group(c.Request().PathValue("prefix")+strconv.Itoa(i)))
	}
	return nil
}

func (s *spread) Receive(c *parley.Conn, m parley.Message) error {
	for _, group := range s.groups {
		if err := c.Hub().Send(c.Context(), group, m); err != nil {
			return err
		}
	}
	return nil
}
