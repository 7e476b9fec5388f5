// Chat is a chat with rooms: who connects to /ws/{room}/?name={name} hears what
// is said in that room, and who comes and goes. Nothing is kept.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/parley-rt/parley"
)

//go:embed page
var files embed.FS

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, and then tells everybody that it goes.
func run(ctx context.Context, addr string) error {
	hub := parley.NewHub(&parley.Options{Limits: parley.Limits{MessageBytes: 16 << 10}})
	server := &http.Server{Addr: addr, Handler: routes(hub), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	fmt.Printf("chat on http://%s/\n", addr)

	select {
	case err := <-served:
		return errors.Join(err, hub.Close(context.Background()))
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(last), hub.Close(last))
}

// routes serves the page, and the rooms.
func routes(hub *parley.Hub) http.Handler {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // the name is a constant
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(page))
	mux.Handle("/ws/{room}/{$}", hub.Handler(newVisitor))
	return mux
}
