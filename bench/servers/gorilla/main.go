// Command gorilla is a chat server in the manner that gorilla/websocket's chat example made common: a hub goroutine owns the set of
// clients, and each client has a goroutine that reads, one that writes, and a buffered channel between the hub and the writer.
package main

import (
	_ "expvar"
	"flag"
	"log"
	"net/http"
	_ "net/http/pprof"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where clients connect")
	debug := flag.String("debug-addr", "127.0.0.1:8081", "where /debug/pprof/ and /debug/vars are served")
	flag.Parse()
	go func() { log.Fatal(http.ListenAndServe(*debug, nil)) }()
	log.Fatal(http.ListenAndServe(*addr, newMux()))
}

func newMux() *http.ServeMux {
	everyone, users := newHub(), newHub()
	go everyone.run()
	go users.run()
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/{$}", func(w http.ResponseWriter, r *http.Request) {
		serve(w, r, "", everyone, everyone.toAll)
	})
	mux.HandleFunc("/ws/{username}/{$}", func(w http.ResponseWriter, r *http.Request) {
		serve(w, r, r.PathValue("username"), users, users.toNamed)
	})
	return mux
}
