package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/parley-rt/parley/internal/server"
)

// serveCmd is parley serve. A flag goes before the environment, that before the
// file, and that before the default.
type serveCmd struct {
	File    configFile    `name:"config" placeholder:"FILE" help:"Read flags from a file that holds a JSON object, such as {\"addr\":\"127.0.0.1:9000\"}."`
	Options server.Config `embed:""`
}

// Run serves until SIGINT or SIGTERM. A second signal ends the program at once.
func (c *serveCmd) Run(s streams) error {
	signals, ignore := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer ignore()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	context.AfterFunc(signals, func() {
		ignore() // from here on a signal does what it does by default
		stop()
	})
	collectEarly()
	log := server.NewLogger(s.err, c.Options)
	srv, err := server.New(c.Options, nil, log)
	if err != nil {
		return err
	}
	if c.Options.TextTo(s.err) {
		fmt.Fprint(s.err, srv.Banner(version()))
	} else {
		log.Info("listening", "url", srv.URL(), "version", version())
	}
	return srv.Run(ctx)
}

// collectEarly has garbage collected once it is half of what is in use, instead
// of as much: nearly all that a server of many connections holds is in use, so
// this saves memory and costs little. GOGC in the environment goes before.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}
