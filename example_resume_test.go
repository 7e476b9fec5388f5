package parley_test

import (
	"context"
	"fmt"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// What is sent to a user who is not connected waits. A client needs to know nothing
// of that: its answers to pings acknowledge what it was sent.
func ExampleConn_Identify_away() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	people := hub.Handler(func() parley.Consumer { return Person{} })

	t := &exampleT{}
	defer t.end()
	alice := parleytest.Dial(t, people, "/alice", nil)
	alice.Send("bob: are you there?")
	alice.Send("bob: call me")
	alice.ReceiveNothing()

	bob := parleytest.Dial(t, people, "/bob", nil)
	fmt.Println(bob.Receive())
	fmt.Println(bob.Receive())
	// Output:
	// alice says are you there?
	// alice says call me
}

// Board is a group whose messages are kept. Its clients are told the place of each,
// and come back with the last one they have.
type Board struct{ parley.Base }

func (Board) Connect(c *parley.Conn) error {
	after, err := parley.ParseCursor(c.Request().URL.Query().Get("after"))
	if err != nil {
		return err
	}
	return c.Join(parley.Group("board"), &parley.JoinOptions{After: after})
}

func (Board) Encode(m parley.Message) (parley.Message, error) {
	return parley.Text(fmt.Sprintf("%s %s", m.Cursor, m.Data)), nil
}

// A client of a group that is kept goes on where it was.
func ExampleJoinOptions() {
	hub := parley.NewHub(&parley.Options{Keep: []parley.KeepRule{{Pattern: "group:board", Messages: 100}}})
	defer hub.Close(context.Background())
	board := hub.Handler(func() parley.Consumer { return Board{} })
	post := func(text string) {
		if err := hub.Send(context.Background(), parley.Group("board"), parley.Text(text)); err != nil {
			fmt.Println(err)
		}
	}

	t := &exampleT{}
	defer t.end()
	reader := parleytest.Dial(t, board, "/", nil)
	post("one")
	var cursor, text string
	fmt.Sscan(reader.Receive(), &cursor, &text)
	fmt.Println(text)
	reader.Close(parley.CloseNormal)

	post("two")
	reader = parleytest.Dial(t, board, "/?after="+cursor, nil)
	post("three")
	for range 2 {
		fmt.Sscan(reader.Receive(), &cursor, &text)
		fmt.Println(text)
	}
	// Output:
	// one
	// two
	// three
}
