package parley_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/parley-rt/parley"
)

// What is sent to a user is kept. A listener that was away goes on where it was,
// in its own time.
func ExampleListenOptions() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	ctx := context.Background()
	bot := parley.User("bot")

	send := func(texts ...string) {
		for _, text := range texts {
			if err := hub.Send(ctx, bot, parley.Text(text)); err != nil {
				fmt.Println(err)
			}
		}
	}
	away := errors.New("away")
	var last parley.Cursor // the bot would store it
	listen := func(n int, started func()) {
		err := hub.Listen(ctx, bot, &parley.ListenOptions{After: last, Started: started}, func(m parley.Message) error {
			fmt.Printf("%s\n", m.Data)
			last = m.Cursor
			if n--; n == 0 {
				return away
			}
			return nil
		})
		fmt.Println(err)
	}

	listen(1, func() { send("good morning") })
	send("where are you?", "call me back")
	listen(3, func() { send("never mind") })
	// Output:
	// good morning
	// away
	// where are you?
	// call me back
	// never mind
	// away
}

// A program that must not wait for each message to be safe sends many at once:
// they are kept in the order of the calls.
func ExampleHub_SendAsync() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())

	var safe sync.WaitGroup
	for i := range 3 {
		safe.Add(1)
		hub.SendAsync(parley.User("bob"), parley.Text(fmt.Sprint("message ", i)), func(sent parley.Sent, err error) {
			defer safe.Done()
			fmt.Println(i, !sent.Cursor.IsZero(), err)
		})
	}
	safe.Wait()
	// Output:
	// 0 true <nil>
	// 1 true <nil>
	// 2 true <nil>
}

// A sender that does not know whether its message was kept sends it again with
// the same key: it is kept once.
func ExampleKey() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	ctx := context.Background()

	for _, text := range []string{"order 17: tea", "order 17: tea", "order 17: coffee"} {
		fmt.Println(hub.Send(ctx, parley.User("kitchen"), parley.Text(text), parley.Key("order 17")))
	}
	// Output:
	// <nil>
	// <nil>
	// conflict: the key was used for other data
}

// Rules say what is kept besides the users' messages, and for how long. Where one
// is Optional each message says whether it is.
func ExampleKeepRule() {
	hub := parley.NewHub(&parley.Options{Keep: []parley.KeepRule{
		{Pattern: "user:*"},
		{Pattern: "group:room-*", Messages: 200},
		{Pattern: "group:*", Optional: true},
	}})
	defer hub.Close(context.Background())

	send := func(to parley.Address, options ...parley.SendOption) {
		done := make(chan struct{})
		hub.SendAsync(to, parley.Text("hello"), func(sent parley.Sent, err error) {
			defer close(done)
			fmt.Printf("%s: kept %v, error %v\n", to, !sent.Cursor.IsZero(), err)
		}, options...)
		<-done
	}
	send(parley.Group("room-kitchen"))
	send(parley.Group("room-kitchen"), parley.Keep(false))
	send(parley.Group("news"))
	send(parley.Group("news"), parley.Keep(true))
	send(parley.Everyone, parley.Keep(true))
	// Output:
	// group:room-kitchen: kept true, error <nil>
	// group:room-kitchen: kept false, error <nil>
	// group:news: kept false, error <nil>
	// group:news: kept true, error <nil>
	// everyone: kept false, error bad_request: what is sent to everyone is not kept
}
