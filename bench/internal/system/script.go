package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/proc"
)

// WS is npm's ws on Node.
var WS = nodeServer("ws", "npm ws", "ws", dialect.Plain{})

// SocketIO is socket.io on Node.
var SocketIO = nodeServer("socketio", "socket.io", "socket.io", dialect.SocketIO{})

func nodeServer(name, title, pkg string, d dialect.Dialect) *System {
	return &System{
		Name:    name,
		Title:   title,
		Dialect: d,
		prepare: func(ctx context.Context, env *Env) error {
			if _, err := exec.LookPath("node"); err != nil {
				return fmt.Errorf("%w: Node.js (apt-get install nodejs npm)", ErrMissing)
			}
			return install(ctx, env, pkg)
		},
		command: func(env *Env, addr, debug netip.AddrPort) proc.Command {
			return proc.Command{Path: "node", Args: []string{"--expose-gc", script(env, name), port(addr), port(debug)}}
		},
		version: func(ctx context.Context, env *Env) (string, error) {
			node, err := output(ctx, env.Bench, "node", "--version")
			if err != nil {
				return "", err
			}
			version, err := packageVersion(env, pkg)
			return version + ", Node " + node, err
		},
		memory: scriptMemory,
	}
}

// Bun is Bun.serve, with uWebSockets inside.
var Bun = &System{
	Name:    "bun",
	Title:   "Bun.serve",
	Dialect: dialect.Plain{},
	prepare: func(ctx context.Context, env *Env) error {
		if err := install(ctx, env, "bun"); err != nil {
			return err
		}
		if _, err := output(ctx, env.Bench, bunProgram(env), "--version"); err != nil {
			return fmt.Errorf("%w: npm did not run the install script of package bun: %w", ErrMissing, err)
		}
		return nil
	},
	command: func(env *Env, addr, debug netip.AddrPort) proc.Command {
		return proc.Command{
			Path: bunProgram(env),
			Args: []string{"run", script(env, "bun"), port(addr), port(debug)},
			Env:  []string{"DO_NOT_TRACK=1"},
		}
	},
	version: func(_ context.Context, env *Env) (string, error) { return packageVersion(env, "bun") },
	memory:  scriptMemory,
}

func bunProgram(env *Env) string {
	return filepath.Join(env.Bench, "node_modules", "bun", "bin", "bun.exe")
}

func script(env *Env, name string) string { return filepath.Join(env.Bench, "servers", name+".js") }

func port(addr netip.AddrPort) string { return strconv.Itoa(int(addr.Port())) }

// install fetches the pinned npm packages unless they are there.
func install(ctx context.Context, env *Env, pkg string) error {
	if _, err := packageVersion(env, pkg); err == nil {
		return nil
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("%w: npm (apt-get install npm)", ErrMissing)
	}
	if _, err := output(ctx, env.Bench, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
		return fmt.Errorf("%w: npm package %s: %w", ErrMissing, pkg, err)
	}
	return nil
}

func packageVersion(env *Env, pkg string) (string, error) {
	text, err := os.ReadFile(filepath.Join(env.Bench, "node_modules", pkg, "package.json"))
	if err != nil {
		return "", err
	}
	var manifest struct {
		Version string `json:"version"`
	}
	err = json.Unmarshal(text, &manifest)
	return manifest.Version, err
}
