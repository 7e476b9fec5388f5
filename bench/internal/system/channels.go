package system

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/proc"
)

// systemPython is where Debian's packages are found; a Python of the user's own would not see them.
const systemPython = "/usr/bin/python3"

// Channels is Django Channels with the in-memory layer of its tutorial.
var Channels = channels("channels", "Django Channels, in-memory layer", "layer", 1000)

// ChannelsDict is Django Channels whose consumers are kept in a dictionary and written to directly.
var ChannelsDict = channels("channels-dict", "Django Channels, dictionary of sockets", "dict", 0)

// channels is one variant. The layer looks through all channels whenever one of them receives, so its fan-out takes quadratic time.
func channels(name, title, variant string, maxReceivers int) *System {
	return &System{
		Name:         name,
		Title:        title,
		Dialect:      dialect.Plain{},
		Slow:         true,
		MaxReceivers: maxReceivers,
		prepare: func(ctx context.Context, env *Env) error {
			if _, err := output(ctx, env.Temp, systemPython, "-c", "import channels, daphne"); err != nil {
				return fmt.Errorf("%w: Django Channels (apt-get install python3-django-channels daphne)", ErrMissing)
			}
			return nil
		},
		command: func(env *Env, addr, _ netip.AddrPort) proc.Command {
			return proc.Command{
				Path: systemPython,
				Args: []string{"-m", "daphne", "--verbosity", "0", "--bind", addr.Addr().String(), "--port", port(addr), "asgi:application"},
				Env: []string{
					"PARLEY_BENCH_VARIANT=" + variant,
					"PYTHONPATH=" + filepath.Join(env.Bench, "servers", "channels"),
					"PYTHONDONTWRITEBYTECODE=1",
				},
			}
		},
		version: func(ctx context.Context, env *Env) (string, error) {
			const print = "import channels, daphne, platform; " +
				"print(f'{channels.__version__}, Daphne {daphne.__version__}, Python {platform.python_version()}')"
			return output(ctx, env.Temp, systemPython, "-c", print)
		},
		memory: pythonMemory,
	}
}
