package parley_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// Person is the connection of the user that its path names. It sends
// "bob: hello" to bob.
type Person struct{ parley.Base }

func (Person) Connect(c *parley.Conn) error {
	return c.Identify(strings.TrimPrefix(c.Request().URL.Path, "/"), nil)
}

func (Person) Receive(c *parley.Conn, m parley.Message) error {
	name, text, _ := strings.Cut(string(m.Data), ": ")
	return c.Send(c.Context(), parley.User(name), parley.Text(c.User()+" says "+text))
}

// A user is all connections that identified as that user.
func ExampleConn_Identify() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	people := hub.Handler(func() parley.Consumer { return Person{} })

	t := &exampleT{}
	defer t.end()
	alice := parleytest.Dial(t, people, "/alice", nil)
	phone, laptop := parleytest.Dial(t, people, "/bob", nil), parleytest.Dial(t, people, "/bob", nil)
	alice.Send("bob: hello")
	fmt.Println("on the phone:", phone.Receive())
	fmt.Println("on the laptop:", laptop.Receive())
	alice.ReceiveNothing()
	// Output:
	// on the phone: alice says hello
	// on the laptop: alice says hello
}

// Reader joins and leaves the groups that it is told to.
type Reader struct{ parley.Base }

func (Reader) Receive(c *parley.Conn, m parley.Message) error {
	verb, topic, _ := strings.Cut(string(m.Data), " ")
	switch verb {
	case "join":
		if err := c.Join(parley.Group(topic), nil); err != nil {
			return err
		}
	case "leave":
		c.Leave(parley.Group(topic))
	}
	return c.Reply(parley.Text("done"))
}

// A connection is a member of any number of groups, for as long as it likes.
func ExampleConn_Join() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	news := func(text string) {
		if err := hub.Send(context.Background(), parley.Group("news"), parley.Text(text)); err != nil {
			fmt.Println(err)
		}
	}

	t := &exampleT{}
	defer t.end()
	c := parleytest.Dial(t, hub.Handler(func() parley.Consumer { return Reader{} }), "/", nil)
	c.Send("join news")
	fmt.Println("joining:", c.Receive())
	news("rain")
	fmt.Println(c.Receive())
	c.Send("leave news")
	fmt.Println("leaving:", c.Receive())
	news("more rain")
	c.ReceiveNothing()
	// Output:
	// joining: done
	// rain
	// leaving: done
}

// Quiet is a Lobby where nobody hears what they say themselves.
type Quiet struct{ Lobby }

func (Quiet) Receive(c *parley.Conn, m parley.Message) error {
	return c.Send(c.Context(), parley.Group("lobby"), m, parley.Except(c))
}

// Except leaves one connection out, mostly the one that sends.
func ExampleExcept() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	quiet := hub.Handler(func() parley.Consumer { return Quiet{} })

	t := &exampleT{}
	defer t.end()
	alice, bob := parleytest.Dial(t, quiet, "/", nil), parleytest.Dial(t, quiet, "/", nil)
	alice.Send("hello")
	fmt.Println("bob hears", bob.Receive())
	alice.ReceiveNothing()
	// Output: bob hears hello
}
