package parley_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// Division is what a client sends to have it done.
type Division struct{ A, B int }

func divide(c *parley.Conn, d Division) error {
	if d.B == 0 {
		return &parley.Error{Code: parley.BadRequest, Message: "division by zero"}
	}
	m, err := parley.JSONMessage(map[string]int{"result": d.A / d.B})
	if err != nil {
		return err
	}
	return c.Reply(m)
}

// Errors are replies: the connection stays open.
func ExampleJSON() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	calculator := hub.Handler(func() parley.Consumer { return parley.JSON(divide) })

	t := &exampleT{}
	defer t.end()
	c := parleytest.Dial(t, calculator, "/", nil)
	c.SendJSON(Division{6, 0})
	fmt.Println(c.Receive())
	c.SendJSON(Division{6, 3})
	fmt.Println(c.Receive())
	// Output:
	// {"error":{"code":"bad_request","message":"division by zero"}}
	// {"result":2}
}

// Filtered is a Lobby whose connections are spared what they would not hear.
type Filtered struct {
	Lobby
	mute []byte
}

func (f *Filtered) Connect(c *parley.Conn) error {
	f.mute = []byte(c.Request().URL.Query().Get("mute"))
	return f.Lobby.Connect(c)
}

func (f *Filtered) Deliver(c *parley.Conn, m parley.Message) error {
	if len(f.mute) > 0 && bytes.Contains(m.Data, f.mute) {
		return nil
	}
	return c.Reply(m)
}

// A Deliverer decides about each message for its own connection.
func ExampleDeliverer() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	lobby := hub.Handler(func() parley.Consumer { return &Filtered{} })

	t := &exampleT{}
	defer t.end()
	alice, bob := parleytest.Dial(t, lobby, "/", nil), parleytest.Dial(t, lobby, "/?mute=golf", nil)
	alice.Send("anyone for golf?")
	alice.Send("or tea?")
	fmt.Println("alice hears", alice.Receive())
	fmt.Println("bob hears", bob.Receive())
	// Output:
	// alice hears anyone for golf?
	// bob hears or tea?
}

// Framed is a Lobby that tells its clients more of a message than its data.
type Framed struct{ Lobby }

func (Framed) Encode(m parley.Message) (parley.Message, error) {
	return parley.JSONMessage(map[string]any{"to": m.To, "text": string(m.Data)})
}

// An Encoder makes frames of messages: once for each message, however many
// connections get it.
func ExampleEncoder() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	framed := hub.Handler(func() parley.Consumer { return Framed{} })
	plain := hub.Handler(func() parley.Consumer { return Lobby{} })

	t := &exampleT{}
	defer t.end()
	alice, bob := parleytest.Dial(t, framed, "/", nil), parleytest.Dial(t, plain, "/", nil)
	bob.Send("hello")
	fmt.Println("alice gets", alice.Receive())
	fmt.Println("bob gets", bob.Receive())
	// Output:
	// alice gets {"text":"hello","to":"group:lobby"}
	// bob gets hello
}
