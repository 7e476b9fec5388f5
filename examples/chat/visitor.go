package main

import (
	"errors"
	"log"
	"slices"
	"strings"

	"github.com/parley-rt/parley"
)

// request is what a page sends: something to say, or the question who is here.
type request struct {
	Say string `json:"say"`
	Who bool   `json:"who"`
}

// event is what a page is sent.
type event struct {
	Event string   `json:"event"` // "said", "joined", "left" or "here"
	Name  string   `json:"name,omitempty"`
	Text  string   `json:"text,omitempty"`
	Names []string `json:"names,omitempty"` // of those who are here
}

// visitor is somebody in a room.
type visitor struct {
	parley.Consumer // calls receive with what the page sends

	room parley.Address
}

func newVisitor() parley.Consumer {
	v := &visitor{}
	v.Consumer = parley.JSON(v.receive)
	return v
}

// Connect lets in everybody who has a name.
func (v *visitor) Connect(c *parley.Conn) error {
	r := c.Request()
	v.room = parley.Group(r.PathValue("room"))
	if err := c.Identify(strings.TrimSpace(r.URL.Query().Get("name")), nil); err != nil {
		return err
	}
	if err := c.Join(v.room, nil); err != nil {
		return err
	}
	return v.tell(c, event{Event: "joined", Name: c.User()})
}

func (v *visitor) receive(c *parley.Conn, r request) error {
	if r.Who {
		return v.tellWho(c)
	}
	text := strings.TrimSpace(r.Say)
	if text == "" {
		return &parley.Error{Code: parley.BadRequest, Message: "nothing was said"}
	}
	return v.tell(c, event{Event: "said", Name: c.User(), Text: text})
}

// Disconnect tells those who stay. The connection is no member any more.
func (v *visitor) Disconnect(c *parley.Conn, _ parley.CloseCode) {
	err := v.tell(c, event{Event: "left", Name: c.User()})
	if err != nil && !errors.Is(err, parley.ErrClosed) {
		log.Printf("%s left %v: %v", c.User(), v.room, err)
	}
}

// tell sends e to everybody in the room.
func (v *visitor) tell(c *parley.Conn, e event) error {
	m, err := parley.JSONMessage(e)
	if err != nil {
		return err
	}
	return c.Send(c.Context(), v.room, m)
}

// tellWho answers with the names of those who are here. A page asks again at
// each coming and going, so the last answer is always right.
func (v *visitor) tellWho(c *parley.Conn) error {
	var names []string
	for member, err := range c.Hub().Members(c.Context(), v.room) {
		if err != nil {
			return err
		}
		names = append(names, member.User)
	}
	slices.Sort(names)
	m, err := parley.JSONMessage(event{Event: "here", Names: names})
	if err != nil {
		return err
	}
	return c.Reply(m)
}
