// Command server is what the crash harness kills: a server of kept messages,
// written on what any program can import. It listens on the socket that it gets
// as file 3, and ends when its standard input does.
package main

import (
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/disklayer"
)

func main() {
	data := flag.String("data", "", "the data directory")
	process := flag.Bool("process", false, "messages need not survive the machine")
	flag.Parse()
	if err := run(*data, *process); err != nil {
		slog.Error("the server failed", "err", err)
		os.Exit(1)
	}
}

// listener is the file of the socket that the harness listens on.
const listener = 3

func run(data string, process bool) error {
	l, err := net.FileListener(os.NewFile(listener, "listener"))
	if err != nil {
		return err
	}
	opts := &disklayer.Options{}
	if process {
		opts.Durability = disklayer.Process
	}
	began := time.Now()
	disk, err := disklayer.Open(data, opts)
	if err != nil {
		return err
	}
	slog.Info("serving", "pid", os.Getpid(), "opened", time.Since(began))
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // the harness is gone
		os.Exit(2)
	}()
	return http.Serve(l, newHub(disk).Handler(func() parley.Consumer { return newConsumer(disk) }))
}

// newHub returns a hub that keeps all that the harness sends. Its queues are
// short, so that receivers fall behind.
func newHub(layer parley.Layer) *parley.Hub {
	rule := parley.KeepRule{Messages: 1 << 30, Bytes: 1 << 40, Age: 30 * 24 * time.Hour}
	users, groups := rule, rule
	users.Pattern, groups.Pattern = "user:*", "group:*"
	return parley.NewHub(&parley.Options{Layer: layer, Keep: []parley.KeepRule{users, groups}, Limits: parley.Limits{
		MailboxBytes: 8 << 10, SendQueueBytes: 16 << 10,
	}})
}
