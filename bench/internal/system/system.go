// Package system knows the systems under test: how each is built, started, spoken to and asked about its memory.
package system

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/parley-rt/parley/bench/internal/dialect"
	"github.com/parley-rt/parley/bench/internal/proc"
)

// ErrMissing marks a system that cannot be measured because something it needs is not installed.
var ErrMissing = errors.New("missing")

// System is one system under test.
type System struct {
	Name    string // on the command line and in result files
	Title   string // in tables
	Dialect dialect.Dialect
	Slow    bool // gets the scenarios' smaller counts

	// MaxReceivers is the largest fan-out whose messages take no more than seconds each; 0 is no limit.
	MaxReceivers int

	// prepare builds or looks for what the system needs.
	prepare func(context.Context, *Env) error
	// command starts it; addresses are free ports, the second one for debugging.
	command func(env *Env, addr, debug netip.AddrPort) proc.Command
	// version names what is measured; called after prepare.
	version func(context.Context, *Env) (string, error)
	memory  memory
	keeping *System // see Keeping; nil for itself
}

// Keeping is the system as it comes, where it keeps no messages only to be like the others: a Parley server then stores those to users in
// its folder. It is not in All.
func (s *System) Keeping() *System {
	if s.keeping == nil {
		return s
	}
	return s.keeping
}

// Env is where systems are built and run.
type Env struct {
	Bench      string   // the folder of this module
	Temp       string   // a folder for this run
	Core       int      // the servers' core, or proc.Unpinned
	ParleyArgs []string // more arguments for parley serve, but for an earlier build
	CaseArgs   []string // a case's arguments for parley serve
}

// Prepare makes the system ready to be started.
func (s *System) Prepare(ctx context.Context, env *Env) error {
	if err := s.prepare(ctx, env); err != nil {
		return fmt.Errorf("prepare %s: %w", s.Name, err)
	}
	return nil
}

// Version names what is measured.
func (s *System) Version(ctx context.Context, env *Env) (string, error) {
	version, err := s.version(ctx, env)
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", s.Name, err)
	}
	return version, nil
}

// Instance is a running server. Stop must be called to end it.
type Instance struct {
	*proc.Server
	Addr   netip.AddrPort
	debug  netip.AddrPort
	memory memory
	dir    string
}

// Start runs a fresh server in an empty folder.
func (s *System) Start(ctx context.Context, env *Env) (*Instance, error) {
	addr, err := proc.FreePort()
	if err != nil {
		return nil, err
	}
	debug, err := proc.FreePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(env.Temp, s.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for %s: %w", s.Name, err)
	}
	command := s.command(env, addr, debug)
	command.Dir = dir
	server, err := proc.Start(ctx, command, addr, env.Core)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Instance{Server: server, Addr: addr, debug: debug, memory: s.memory, dir: dir}, nil
}

// Stop ends the server and removes its folder.
func (i *Instance) Stop() error {
	i.Server.Stop()
	if err := os.RemoveAll(i.dir); err != nil {
		return fmt.Errorf("remove the server's folder: %w", err)
	}
	return nil
}
