package parley_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// Listen hears an address without a connection, as a bot does, until its
// function returns an error.
func ExampleHub_Listen() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	ctx := context.Background()
	clock := parley.Group("clock")
	tick := func() {
		if err := hub.Send(ctx, clock, parley.Text("tick")); err != nil {
			fmt.Println(err)
		}
	}

	heard := 0
	err := hub.Listen(ctx, clock, &parley.ListenOptions{Started: tick}, func(m parley.Message) error {
		fmt.Printf("%s: %s\n", m.To, m.Data)
		if heard++; heard == 2 {
			return errors.New("time to go")
		}
		tick()
		return nil
	})
	fmt.Println(err)
	// Output:
	// group:clock: tick
	// group:clock: tick
	// time to go
}

// Guest is a Person in the lobby.
type Guest struct{ Person }

func (g Guest) Connect(c *parley.Conn) error {
	return errors.Join(g.Person.Connect(c), c.Join(parley.Group("lobby"), nil))
}

// Members tells who is there, and how often.
func ExampleHub_Members() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	guests := hub.Handler(func() parley.Consumer { return Guest{} })

	t := &exampleT{}
	defer t.end()
	for _, path := range []string{"/bob", "/alice", "/bob"} {
		parleytest.Dial(t, guests, path, nil)
	}
	var there []string
	for member, err := range hub.Members(context.Background(), parley.Group("lobby")) {
		if err != nil {
			fmt.Println(err)
			return
		}
		there = append(there, fmt.Sprintf("%s with %d", member.User, member.Connections))
	}
	slices.Sort(there) // they come in no order
	fmt.Println(there)
	// Output: [alice with 1 bob with 2]
}

// Club is a Lobby for those who have a ticket.
type Club struct{ Lobby }

func (l Club) Connect(c *parley.Conn) error {
	if c.Request().URL.Query().Get("ticket") != "42" {
		return &parley.Error{Code: parley.Forbidden, Message: "members only"}
	}
	return l.Lobby.Connect(c)
}

// What Connect returns refuses the handshake with the HTTP status of its code.
func ExampleError() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	club := hub.Handler(func() parley.Consumer { return Club{} })

	t := &exampleT{}
	defer t.end()
	refusal := parleytest.DialRefused(t, club, "/", nil)
	fmt.Print(refusal.Status, " ", refusal.Body)
	c := parleytest.Dial(t, club, "/?ticket=42", nil)
	c.Send("hello")
	fmt.Println(c.Receive())
	// Output:
	// 403 forbidden: members only
	// hello
}

// userKey is where signedIn keeps who it is.
type userKey struct{}

// signedIn is middleware as for any other handler: it knows users by a cookie.
func signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("user")
		if err != nil {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, cookie.Value)))
	})
}

// Room is a connection of a user in the room that its path names.
type Room struct {
	parley.Base
	name string
}

func (r *Room) Connect(c *parley.Conn) error {
	r.name = c.Request().PathValue("room")
	user, _ := c.Request().Context().Value(userKey{}).(string)
	return errors.Join(c.Identify(user, nil), c.Join(parley.Group(r.name), nil))
}

func (r *Room) Receive(c *parley.Conn, m parley.Message) error {
	text := fmt.Sprintf("%s in %s: %s", c.User(), r.name, m.Data)
	return c.Send(c.Context(), parley.Group(r.name), parley.Text(text))
}

// Handlers are mounted on http.ServeMux, whose patterns name what is in a path,
// behind the middleware that the rest of the program has.
func ExampleHub_Handler() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	mux := http.NewServeMux()
	mux.Handle("/rooms/{room}/", signedIn(hub.Handler(func() parley.Consumer { return &Room{} })))

	t := &exampleT{}
	defer t.end()
	fmt.Print(parleytest.DialRefused(t, mux, "/rooms/kitchen/", nil).Body)
	alice := parleytest.Dial(t, mux, "/rooms/kitchen/", &parleytest.Options{Header: http.Header{"Cookie": {"user=alice"}}})
	alice.Send("tea is ready")
	fmt.Println(alice.Receive())
	// Output:
	// sign in first
	// alice in kitchen: tea is ready
}
