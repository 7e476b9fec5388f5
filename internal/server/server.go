// Package server is the server that parley serve runs: WebSocket endpoints that
// any client can speak to without a library, a way to send over HTTP, and a
// demo page. It is written on the public library alone.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-rt/parley"
)

// Server listens from New on and serves during Run. Its other methods are safe
// for concurrent use.
type Server struct {
	cfg      Config
	log      *slog.Logger
	stored   bool // messages are kept in a layer that was given
	hub      *parley.Hub
	draining atomic.Bool
	fresh    fresh

	http          *http.Server
	listener      net.Listener
	debug         *http.Server // nil without --debug-addr, as is its listener
	debugListener net.Listener
}

// New validates cfg and opens what it listens on; errors name the flag. The
// caller must call Run, which frees it all. layer is where messages are kept, nil
// for this server's memory; the caller closes it after Run.
func New(cfg Config, layer parley.Layer, log *slog.Logger) (*Server, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg.withDefaults(), log: log, stored: layer != nil, fresh: fresh{conns: make(map[net.Conn]struct{})}}
	certificates, err := s.certificates()
	if err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	options := s.cfg.hubOptions(log)
	options.Layer = layer
	s.hub = parley.NewHub(options)
	s.http = s.newHTTP(s.routes())
	s.http.TLSConfig = &tls.Config{Certificates: certificates}
	s.http.ReadTimeout, s.http.WriteTimeout = 30*time.Second, 30*time.Second
	s.http.ConnState = s.fresh.track
	s.http.RegisterOnShutdown(s.fresh.close)
	if s.debugListener != nil {
		s.debug = s.newHTTP(s.debugRoutes())
	}
	return s, nil
}

// newHTTP returns a server whose bounds do not depend on what is served.
func (s *Server) newHTTP(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ConnState:         newVisitors(visitorsFor(openFileLimit())).note,
		ErrorLog:          stdlog.New(httpLog{s.log}, "", 0),
	}
}

// certificates returns none without --tls-cert.
func (s *Server) certificates() ([]tls.Certificate, error) {
	if s.cfg.TLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	return []tls.Certificate{cert}, nil
}

func (s *Server) listen() (err error) {
	if s.listener, err = net.Listen("tcp", s.cfg.Addr); err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	if s.cfg.DebugAddr == "" {
		return nil
	}
	if s.debugListener, err = net.Listen("tcp", s.cfg.DebugAddr); err != nil {
		return errors.Join(fmt.Errorf("--debug-addr: %w", err), s.listener.Close())
	}
	return nil
}

// Addr returns where the server listens; the port is the real one where --addr
// said 0.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// DebugAddr returns where the debugging endpoints are, or nil.
func (s *Server) DebugAddr() net.Addr {
	if s.debugListener == nil {
		return nil
	}
	return s.debugListener.Addr()
}

// Run serves until ctx ends, then drains: /readyz answers 503, connections are
// closed with code 1001, and requests in progress finish, all within the
// shutdown timeout. It returns nil after a clean drain, and is called once.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(s.serve)
	if s.debug != nil {
		group.Go(func() error { return unlessShutDown(s.debug.Serve(s.debugListener)) })
	}
	able := &healthLog{check: s.health, log: s.log}
	group.Go(func() error {
		able.watch(ctx)
		return nil
	})
	lost := &losses{stats: s.hub.Stats, log: s.log}
	group.Go(func() error {
		lost.watch(ctx)
		err := s.drain()
		lost.tell()
		return err
	})
	return group.Wait()
}

// serve serves --addr until it is shut down.
func (s *Server) serve() error {
	if s.cfg.TLSCert != "" {
		return unlessShutDown(s.http.ServeTLS(s.listener, "", ""))
	}
	return unlessShutDown(s.http.Serve(s.listener))
}

func unlessShutDown(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving: %w", err)
}

// drain ends everything within the shutdown timeout.
func (s *Server) drain() error {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ShutdownTimeout)
	defer cancel()
	s.log.Info("stopping", "connections", s.hub.Stats().Connections, "timeout", s.cfg.ShutdownTimeout.String())
	err := s.hub.Close(ctx)
	if late := s.http.Shutdown(ctx); late != nil {
		err = errors.Join(err, fmt.Errorf("requests were cut off: %w", late), s.http.Close())
	}
	if s.debug != nil {
		err = errors.Join(err, s.debug.Close())
	}
	return err
}
