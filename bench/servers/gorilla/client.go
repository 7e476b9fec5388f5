package main

import (
	"log"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

const (
	sendQueue   = 256
	maxMessage  = 64 << 10
	writeWait   = 10 * time.Second
	pongWait    = 60 * time.Second
	pingPeriod  = 54 * time.Second
	bufferBytes = 1024
)

var upgrader = websocket.Upgrader{ReadBufferSize: bufferBytes, WriteBufferSize: bufferBytes}

// client is one connection: readPump and writePump each own one direction of it, the hub closes send.
type client struct {
	name string
	hub  *hub
	conn *websocket.Conn
	send chan []byte
}

func serve(w http.ResponseWriter, r *http.Request, name string, h *hub, relay func([]byte)) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		log.Print(err)
		return
	}
	c := &client{name: name, hub: h, conn: conn, send: make(chan []byte, sendQueue)}
	h.register <- c
	go c.writePump()
	go c.readPump(relay)
}

func (c *client) readPump(relay func([]byte)) {
	defer func() {
		c.hub.unregister <- c
		c.conn.Close()
	}()
	c.conn.SetReadLimit(maxMessage)
	c.extendRead()
	c.conn.SetPongHandler(func(string) error { return c.extendRead() })
	for {
		_, text, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		relay(text)
	}
}

func (c *client) extendRead() error {
	return c.conn.SetReadDeadline(time.Now().Add(pongWait))
}

func (c *client) writePump() {
	ping := time.NewTicker(pingPeriod)
	defer func() {
		ping.Stop()
		c.conn.Close()
	}()
	for {
		select {
		case text, open := <-c.send:
			if !open {
				c.write(websocket.CloseMessage, nil)
				return
			}
			if c.write(websocket.TextMessage, text) != nil {
				return
			}
		case <-ping.C:
			if c.write(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

func (c *client) write(kind int, data []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	return c.conn.WriteMessage(kind, data)
}
