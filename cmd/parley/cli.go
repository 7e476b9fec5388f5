package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// cli is the command line. Each subcommand has a file of its own and a Run
// method, which kong calls with the streams.
type cli struct {
	Serve  serveCmd  `cmd:"" help:"Run the server."`
	Backup backupCmd `cmd:"" help:"Copy what a server keeps, while it runs or not."`
	New    newCmd    `cmd:"" help:"Make a small Go project that uses the library."`

	Version kong.VersionFlag `env:"-" help:"Print the version and exit."`
}

// streams is where a subcommand writes.
type streams struct{ out, err io.Writer }

// run returns the exit code. Whatever goes wrong is told in one line.
func run(args []string, stdout, stderr io.Writer) int {
	err := parseAndRun(args, streams{stdout, stderr})
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exited](err); ok {
		return int(code)
	}
	told := strings.TrimPrefix(err.Error(), "parley: ") // as errors of the library begin
	fmt.Fprintf(stderr, "parley: %s\n", strings.ReplaceAll(told, "\n", "; "))
	return 1
}

func parseAndRun(args []string, s streams) (err error) {
	defer func() { // --help and --version call Exit, and must not return
		if v := recover(); v != nil {
			code, ok := v.(exited)
			if !ok {
				panic(v)
			}
			err = code
		}
	}()
	parser, err := newParser(&cli{}, s)
	if err != nil {
		return err
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return ctx.Run()
}

func newParser(c *cli, s streams) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("parley"),
		kong.Description("Messages to everyone, to a group, or to one person, over WebSocket."),
		kong.Vars{"version": version()},
		kong.DefaultEnvars("PARLEY"),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.Bind(s),
	)
}

// exited is how kong ends the program early, on its way to run.
type exited int

func (e exited) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// version returns what the go command recorded of the module.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
