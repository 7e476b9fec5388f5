package parley_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/parleytest"
)

// exampleT stands for the *testing.T that the examples' clients need, as an
// example has none.
type exampleT struct {
	testing.TB // what is not written below is never called

	cleanups []func()
}

func (t *exampleT) Helper() {}

func (t *exampleT) Context() context.Context { return context.Background() }

func (t *exampleT) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// end closes what the clients opened.
func (t *exampleT) end() {
	for _, cleanup := range slices.Backward(t.cleanups) {
		cleanup()
	}
}

// Lobby sends each message to everybody who is connected.
type Lobby struct{ parley.Base }

func (Lobby) Connect(c *parley.Conn) error { return c.Join(parley.Group("lobby"), nil) }

func (Lobby) Receive(c *parley.Conn, m parley.Message) error {
	return c.Send(c.Context(), parley.Group("lobby"), m)
}

// A consumer is told what happens on a connection; a hub mounts it on net/http.
func Example() {
	hub := parley.NewHub(nil)
	defer hub.Close(context.Background())
	lobby := hub.Handler(func() parley.Consumer { return Lobby{} })

	t := &exampleT{}
	defer t.end()
	alice, bob := parleytest.Dial(t, lobby, "/", nil), parleytest.Dial(t, lobby, "/", nil)
	alice.Send("hello")
	fmt.Println("alice hears", alice.Receive())
	fmt.Println("bob hears", bob.Receive())
	// Output:
	// alice hears hello
	// bob hears hello
}
