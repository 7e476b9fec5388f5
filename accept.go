package parley

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// serve makes the connection of a sound handshake.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), h.hub.opts.Limits.HandshakeTimeout)
	defer cancel()
	c := &Conn{
		handler: h, since: time.Now().UnixNano(),
		subprotocol: int16(chooseSubprotocol(r, h.subprotocols)),
		setup:       &setup{request: r.WithContext(ctx)},
	}
	rand.Read(c.sock.ID[:]) // never fails
	extensions := h.negotiate(c, r)
	if err := h.connect(ctx, c); err != nil {
		h.refused(w, c, err)
		return
	}
	response := upgradeResponse(w.Header(), r.Header.Get("Sec-WebSocket-Key"), c.Subprotocol(), extensions)
	nc, early, err := takeOver(w)
	if err != nil {
		h.hub.log.Debug("parley: upgrade failed", "conn", c.ID(), "err", err)
		c.abandon()
		return
	}
	c.accept(nc, early, response)
}

// connect asks the consumer whether it takes the connection, which is over if
// it does not, or not in time.
func (h *handler) connect(ctx context.Context, c *Conn) error {
	returned := false
	defer func() {
		if !returned { // but ended its goroutine
			c.refuse()
		}
	}()
	err := c.guard("Connect", func() error {
		c.consumer = h.factory()
		return c.consumer.Connect(c)
	})
	returned = true
	late := &Error{Unavailable, "the handshake took too long"}
	switch {
	case err == nil && ctx.Err() != nil:
		c.abandon()
		return late
	case err != nil:
		c.refuse()
		if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
			return late
		}
	}
	return err
}

// refused answers a request whose Connect failed.
func (h *handler) refused(w http.ResponseWriter, c *Conn, err error) {
	told := public(err)
	if told.Code == Internal {
		h.hub.log.Error("parley: consumer failed", "call", "Connect", "conn", c.ID(), "err", err)
	}
	http.Error(w, told.Error(), told.Code.HTTPStatus())
}

// accept starts the connection: what Connect asked for happens, then the
// handshake is answered, and the connection read.
func (c *Conn) accept(nc net.Conn, early, response []byte) {
	hub := c.handler.hub
	if err := hub.engine.Open(&c.sock, nc, response, (*events)(c)); err != nil {
		if !errors.Is(err, socket.ErrClosed) {
			hub.log.Warn("parley: a connection was not taken in", "conn", c.ID(), "err", err)
		}
		c.abandon()
		return
	}
	defer c.start(early)
	c.settleAll()
}

// start answers the handshake, and has the connection read.
func (c *Conn) start(early []byte) {
	hub := c.handler.hub
	c.report("accept", c.sock.Accept())
	select {
	case <-hub.closing: // CloseAll may have come too early for this one
		c.shut(uint16(hub.opts.ShutdownCode), shutdownReason)
	default:
	}
	c.report("read", c.sock.Start(early))
}

// settleAll does what was put off until now. Where a callback ends its goroutine the
// connection is closed as for a panic.
func (c *Conn) settleAll() {
	returned := false
	defer func() {
		if !returned {
			c.handler.hub.log.Error("parley: consumer failed", "conn", c.ID(), "err", "a call ended its goroutine")
			c.shut(uint16(CloseInternalError), "internal error")
			c.settleAll()
		}
	}()
	for c.settle() {
	}
	returned = true
}

// settle does the first of what was put off, and reports whether there was any.
// What others ask for meanwhile waits its turn.
func (c *Conn) settle() bool {
	c.mu.Lock()
	if len(c.setup.then) == 0 {
		c.setup = nil
		c.mu.Unlock()
		return false
	}
	f := c.setup.then[0]
	c.setup.then = c.setup.then[1:]
	c.mu.Unlock()
	f()
	return true
}

// refuse forgets a connection whose Connect failed.
func (c *Conn) refuse() {
	c.forget()
	c.end()
	c.handler.hub.live.leave()
}

// abandon ends a connection whose Connect succeeded but that never opened.
func (c *Conn) abandon() {
	c.forget()
	c.disconnect(CloseAbnormal)
}

// forget drops what Connect asked for.
func (c *Conn) forget() {
	c.mu.Lock()
	var lost []func()
	if c.setup != nil {
		lost = c.setup.lost
	}
	c.left, c.over, c.setup = true, true, nil
	c.mu.Unlock()
	for _, f := range lost {
		f()
	}
}
