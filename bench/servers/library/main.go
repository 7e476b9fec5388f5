// Command library serves Parley's handlers on net/http and nothing else, as a program would that uses Parley as a library:
//
//   - /bare/: a connection without a name and in no group; each message goes back to where it came from.
//   - /named/USER: a connection of a user, in a group with all others; each message goes to its own user.
//   - /grouped/GROUP: a connection in a group of its choice, which only listens.
//   - /spread/PREFIX/N: each message goes to the groups PREFIX0, PREFIX1 and so on, N of them, one after the other, sent by the program.
package main

import (
	_ "expvar"
	"flag"
	"log"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime/debug"

	"github.com/parley-rt/parley"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where clients connect")
	debugAddr := flag.String("debug-addr", "127.0.0.1:8081", "where /debug/pprof/ and /debug/vars are served")
	flag.Parse()
	collectEarly()
	go func() { log.Fatal(http.ListenAndServe(*debugAddr, nil)) }()
	hub := parley.NewHub(&parley.Options{Keep: []parley.KeepRule{}}) // what it is compared with keeps nothing either
	log.Fatal(http.ListenAndServe(*addr, newMux(hub)))
}

// collectEarly sets the garbage collector as parley serve does.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

func newMux(hub *parley.Hub) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/bare/", hub.Handler(func() parley.Consumer { return bare{} }))
	mux.Handle("/named/{user}", hub.Handler(func() parley.Consumer { return named{} }))
	mux.Handle("/grouped/{group}", hub.Handler(func() parley.Consumer { return grouped{} }))
	mux.Handle("/spread/{prefix}/{n}", hub.Handler(func() parley.Consumer { return &spread{} }))
	return mux
}
