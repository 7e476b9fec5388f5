package main

import (
	"context"
	"errors"
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

// Run serves until SIGINT, SIGTERM or SIGHUP. A second signal ends the program at once.
// SIGHUP stays ignored where it was before, as under nohup.
func (c *serveCmd) Run(s streams) error {
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	signals, ignore := signal.NotifyContext(context.Background(), ends...)
	defer ignore()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	context.AfterFunc(signals, func() {
		ignore() // from here on a signal does what it does by default
		stop()
	})
	collectEarly()
	return c.serve(ctx, s)
}

// serve serves until ctx ends. The data directory is closed after the hub.
func (c *serveCmd) serve(ctx context.Context, s streams) error {
	log := server.NewLogger(s.err, c.Options)
	if err := c.Options.Check(); err != nil { // before a directory is made
		return err
	}
	data, err := openData(&c.Options, log)
	if err != nil {
		return err
	}
	srv, err := server.New(c.Options, data.kept(), log)
	if err != nil {
		return errors.Join(err, data.Close())
	}
	if c.Options.TextTo(s.err) {
		fmt.Fprint(s.err, srv.Banner(version()))
	} else {
		log.Info("listening", "url", srv.URL(), "version", version(), "kept", srv.Kept())
	}
	return errors.Join(srv.Run(ctx), data.Close())
}

// collectEarly has garbage collected once it is half of what is in use, instead
// of as much: nearly all that a server of many connections holds is in use, so
// this saves memory and costs little. GOGC in the environment goes before.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}
