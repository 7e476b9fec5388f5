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
	"github.com/parley-rt/parley/internal/clock"
)

func main() {
	data := flag.String("data", "", "the data directory")
	queue := flag.Int("queue", 16<<10, "how many bytes wait for a connection")
	process := flag.Bool("process", false, "messages need not survive the machine")
	skew := flag.Duration("skew", 0, "by how much the wall clock jumps ahead, back and behind, again and again")
	flag.Parse()
	go jump(*skew)
	if err := run(*data, *queue, *process); err != nil {
		slog.Error("the server failed", "err", err)
		os.Exit(1)
	}
}

// jumpEvery is how long the wall clock stays where it is.
const jumpEvery = 50 * time.Millisecond

// jump has the wall clock jump.
func jump(by time.Duration) {
	for {
		for _, to := range []time.Duration{by, 0, -by, 0} {
			clock.Skew.Store(int64(to))
			time.Sleep(jumpEvery)
		}
	}
}

// listener is the file of the socket that the harness listens on.
const listener = 3

func run(data string, queue int, process bool) error {
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
	return http.Serve(l, handler(disk, queue))
}

// handler serves all kinds of consumers, each on a hub that closes slow readers and
// on one that drops messages for them.
func handler(disk *disklayer.Layer, queue int) http.Handler {
	mux := http.NewServeMux()
	for name, policy := range map[string]parley.SlowReader{"close": parley.CloseSlow, "drop": parley.DropSlow} {
		hub := newHub(disk, queue, policy)
		for kind, of := range kinds {
			mux.Handle("/"+name+"/"+kind, hub.Handler(func() parley.Consumer { return of(disk) }))
		}
		if policy == parley.CloseSlow {
			mux.Handle("/", hub.Handler(func() parley.Consumer { return kinds["encoder"](disk) }))
		}
	}
	return mux
}

// newHub returns a hub that keeps all that the harness sends. Its queues are
// short, so that receivers fall behind.
func newHub(layer parley.Layer, queue int, policy parley.SlowReader) *parley.Hub {
	rule := parley.KeepRule{Messages: 1 << 30, Bytes: 1 << 40, Age: 30 * 24 * time.Hour}
	users, groups := rule, rule
	users.Pattern, groups.Pattern = "user:*", "group:*"
	return parley.NewHub(&parley.Options{Layer: layer, SlowReader: policy, Keep: []parley.KeepRule{users, groups}, Limits: parley.Limits{
		MailboxBytes: 8 << 10, SendQueueBytes: queue,
	}})
}
