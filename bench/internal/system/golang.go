package system

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/proc"
)

// manyConnections lifts Parley's own limit, a part of the open files that are allowed, close to all of them.
const manyConnections = "19900"

// keepNothing are the arguments of a Parley server that is measured beside other systems, none of which keeps messages.
var keepNothing = []string{"--keep", "none"}

// Parley is the server of the repository this module is in.
var Parley = keepingToo(parleyServer("parley", "Parley", keepNothing...), parleyServer("kept", "Parley, keeping messages"))

// Earlier is a Parley server that was built before, to compare this one with.
func Earlier(binary string) *System {
	return keepingToo(earlierServer(binary, keepNothing...), earlierServer(binary))
}

// keepingToo has a system be another one where it keeps messages.
func keepingToo(s, keeping *System) *System {
	s.keeping = keeping
	return s
}

func earlierServer(binary string, args ...string) *System {
	return &System{
		Name:    EarlierName,
		Title:   "Parley, earlier",
		Dialect: dialect.Plain{},
		prepare: func(context.Context, *Env) error {
			_, err := os.Stat(binary)
			return err
		},
		command: func(env *Env, addr, debug netip.AddrPort) proc.Command {
			return serve(binary, addr, debug, slices.Concat(args, env.CaseArgs)...)
		},
		version: func(context.Context, *Env) (string, error) { return revision(binary) },
		memory:  goMemory,
	}
}

// InMemory is the --data of a server that stores nothing.
const InMemory = "memory"

// EarlierName is the name of an earlier build.
const EarlierName = "earlier"

func parleyServer(name, title string, args ...string) *System {
	return &System{
		Name:    name,
		Title:   title,
		Dialect: dialect.Plain{},
		prepare: func(ctx context.Context, env *Env) error {
			main := filepath.Join(env.Bench, "..", "cmd", "parley")
			if _, err := os.Stat(main); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%w: there is no %s", ErrMissing, main)
			}
			return build(ctx, env, filepath.Join(env.Bench, ".."), "./cmd/parley", "parley")
		},
		command: func(env *Env, addr, debug netip.AddrPort) proc.Command {
			return serve(filepath.Join(env.Temp, "parley"), addr, debug, slices.Concat(args, env.CaseArgs, env.ParleyArgs)...)
		},
		version: func(ctx context.Context, env *Env) (string, error) {
			commit, err := output(ctx, filepath.Join(env.Bench, ".."), "git", "describe", "--always", "--dirty")
			if err != nil {
				commit = "from a tree without commits"
			}
			return commit, nil
		},
		memory: goMemory,
	}
}

// serve starts any build of Parley.
func serve(program string, addr, debug netip.AddrPort, more ...string) proc.Command {
	args := []string{"serve", "--addr", addr.String(), "--debug-addr", debug.String(), "--max-connections", manyConnections}
	return proc.Command{Path: program, Args: append(args, more...)}
}

// Gorilla is gorilla/websocket in the pattern of its chat example.
var Gorilla = goServer("gorilla", "gorilla/websocket, chat pattern", "gorilla", "github.com/gorilla/websocket")

// Library is Parley's handlers on net/http, without parley serve. Its endpoints are others than those of the systems in All.
var Library = goServer("library", "Parley as a library", "library", "github.com/parley-rt/parley")

// Floor is what the kernel's calls cost in Go when a server does nothing else.
var Floor = goServer("floor", "floor: epoll, a write per delivery", "floor", "")

// FloorCoalescing is Floor with the fewest writes that deliver everything.
var FloorCoalescing = goServer("floor-coalescing", "floor: epoll, a write per receiver and round", "floor", "", "--coalesce")

// goServer is a server of this module's own, in servers/program, that is built on the named module.
func goServer(name, title, program, module string, args ...string) *System {
	return &System{
		Name:    name,
		Title:   title,
		Dialect: dialect.Plain{},
		prepare: func(ctx context.Context, env *Env) error {
			return build(ctx, env, env.Bench, "./servers/"+program, program)
		},
		command: func(env *Env, addr, debug netip.AddrPort) proc.Command {
			return proc.Command{
				Path: filepath.Join(env.Temp, program),
				Args: append([]string{"--addr", addr.String(), "--debug-addr", debug.String()}, args...),
			}
		},
		version: func(_ context.Context, env *Env) (string, error) {
			return moduleVersion(filepath.Join(env.Temp, program), module)
		},
		memory: goMemory,
	}
}

// build makes a program unless this run has it already.
func build(ctx context.Context, env *Env, dir, pkg, name string) error {
	if _, err := os.Stat(filepath.Join(env.Temp, name)); err == nil {
		return nil
	}
	_, err := output(ctx, dir, "go", "build", "-o", filepath.Join(env.Temp, name), pkg)
	return err
}

// revision reads from a built program what it was built from.
func revision(program string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", err
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value[:min(len(setting.Value), 7)] + ", " + info.GoVersion, nil
		}
	}
	return filepath.Base(program) + ", " + info.GoVersion, nil
}

// moduleVersion reads the version of a dependency from a built program.
func moduleVersion(program, module string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", err
	}
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version + ", " + info.GoVersion, nil
		}
	}
	return info.GoVersion, nil
}
