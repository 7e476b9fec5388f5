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
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), h.hub.opts.Limits.HandshakeTimeout)
	defer cancel()
	c := &Conn{
		handler: h, since: began.UnixNano(),
		subprotocol: int16(chooseSubprotocol(r, h.subprotocols)),
		setup:       &setup{request: r.WithContext(ctx), deadline: began.Add(h.hub.opts.Limits.HandshakeTimeout)},
	}
	rand.Read(c.sock.ID[:]) // never fails
	extensions := h.negotiate(c, r)
	if failed := h.connect(ctx, c); failed != nil {
		c.logFailure("Connect", failed)
		http.Error(w, failed.told.Error(), failed.told.Code.HTTPStatus())
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
func (h *handler) connect(ctx context.Context, c *Conn) *failure {
	returned := false
	defer func() {
		if !returned { // but ended its goroutine
			c.refuse()
		}
	}()
	failed := guard("Connect", func() error {
		c.consumer = h.factory()
		return c.consumer.Connect(c)
	})
	returned = true
	c.mu.Lock()
	c.setup.request = nil
	c.mu.Unlock()
	late := &failure{told: errLate}
	switch {
	case failed == nil && ctx.Err() != nil:
		c.abandon()
		return late
	case failed != nil:
		c.refuse()
		if ctx.Err() != nil && failed.late {
			return late
		}
	}
	return failed
}

// accept has the engine take the connection. Settling is the first of its events.
func (c *Conn) accept(nc net.Conn, early, response []byte) {
	hub := c.handler.hub
	c.mu.Lock()
	c.work = works.Get().(*work) // events wait for the runner that starts below
	c.setup.early = early
	c.push(event{kind: eventSettle})
	c.mu.Unlock()
	if err := hub.engine.Open(&c.sock, nc, response, (*events)(c)); err != nil {
		if !errors.Is(err, socket.ErrClosed) {
			hub.log.Warn("parley: a connection was not taken in", "conn", c.ID(), "err", err)
		}
		c.abandon()
		return
	}
	c.settleBy()
	hub.runners.start(c)
}

// refuse forgets a connection whose Connect failed.
func (c *Conn) refuse() {
	defer c.handler.hub.live.leave()
	defer c.end()
	c.forget()
}

// abandon ends a connection whose Connect succeeded but that never opened.
func (c *Conn) abandon() {
	defer c.disconnect(CloseAbnormal)
	c.forget()
}
