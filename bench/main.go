// Command bench measures Parley and other WebSocket servers in the same run, and writes docs/performance.md.
// It runs on Linux. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/parley-rt/parley/bench/internal/proc"
	"github.com/parley-rt/parley/bench/internal/scenario"
	"github.com/parley-rt/parley/bench/internal/system"
)

// options are the command line.
type options struct {
	only, systems        string
	sizes                []int
	runs                 int
	quick                bool
	out                  string
	report, resume       string
	results              string
	serverCore, loadCore int
	parleyArgs           string
	against              string
}

const defaultOut = "../docs/performance.md"

func main() {
	if scenario.IsHolder(os.Args) {
		os.Exit(scenario.Hold(os.Args))
	}
	o := parse(os.Args[1:])
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) options {
	var o options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&o.only, "only", "", "comma-separated `scenarios` ("+strings.Join(scenario.Names(), ", ")+"); all when empty")
	flags.StringVar(&o.systems, "systems", "", "comma-separated `systems` ("+strings.Join(system.Names(), ", ")+"); all when empty")
	flags.Func("sizes", "comma-separated `numbers` of receivers of the fan-out; 100, 1,000 and 5,000 when empty", o.setSizes)
	flags.IntVar(&o.runs, "runs", 5, "how often each case is measured")
	flags.BoolVar(&o.quick, "quick", false, "small sizes and one run: to see that it works, not for figures; writes no document unless -out says where")
	flags.StringVar(&o.out, "out", defaultOut, "the `file` the document is written to; - for none")
	flags.StringVar(&o.report, "report", "", "measure nothing; make the document and tables from this results `file`")
	flags.StringVar(&o.resume, "resume", "", "go on with the interrupted measurement of this results `file`, with the same flags")
	flags.StringVar(&o.results, "results", "results", "the `folder` for results files")
	flags.IntVar(&o.serverCore, "server-core", 0, "the `core` of the servers; -1 for any")
	flags.IntVar(&o.loadCore, "load-core", 1, "the `core` of the load generator; -1 for any")
	flags.StringVar(&o.parleyArgs, "parley-args", "", "more `arguments` for parley serve, separated by blanks")
	flags.StringVar(&o.against, "against", "", "compare with this earlier build of parley, a `binary`; without -systems with it alone")
	_ = flags.Parse(args) // ExitOnError: it returns only without an error
	o.applyQuick(flags)
	return o
}

func (o *options) setSizes(list string) error {
	for text := range strings.SplitSeq(list, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 {
			return fmt.Errorf("%q is not a number of receivers", text)
		}
		o.sizes = append(o.sizes, size)
	}
	return nil
}

// applyQuick replaces what the user left at its default.
func (o *options) applyQuick(flags *flag.FlagSet) {
	if !o.quick {
		return
	}
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["runs"] {
		o.runs = 1
	}
	if !given["out"] {
		o.out = "-"
	}
}

func run(o options) error {
	if o.report != "" {
		return reportOn(o)
	}
	if needed := max(o.serverCore, o.loadCore) + 1; cpus() < needed {
		return fmt.Errorf("%d cores are needed; with -server-core -1 -load-core -1 it runs on fewer, and its figures mean little", needed)
	}
	if err := proc.RaiseFileLimit(); err != nil {
		return err
	}
	if err := proc.PinSelf(o.loadCore); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return measure(ctx, o)
}

// cpus counts the machine's cores; the Go runtime would count only those this program is pinned to.
func cpus() int { return max(proc.Cores(), runtime.NumCPU()) }

// command is how this run can be repeated.
func command() string { return strings.Join(append([]string{"go run ."}, os.Args[1:]...), " ") }
