package main

import "encoding/json"

// message is one received message and whom it is for; the empty name is everyone.
type message struct {
	to   string
	text []byte
}

// hub keeps its clients by user name. Its goroutine, run, owns the map.
type hub struct {
	clients    map[string]map[*client]bool
	register   chan *client
	unregister chan *client
	messages   chan message
}

func newHub() *hub {
	return &hub{
		clients:    make(map[string]map[*client]bool),
		register:   make(chan *client),
		unregister: make(chan *client),
		messages:   make(chan message),
	}
}

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.add(c)
		case c := <-h.unregister:
			h.remove(c)
		case m := <-h.messages:
			h.deliver(m)
		}
	}
}

func (h *hub) toAll(text []byte) { h.messages <- message{text: text} }

func (h *hub) toNamed(text []byte) {
	var head struct {
		ToUser string `json:"to_user"`
	}
	if err := json.Unmarshal(text, &head); err != nil || head.ToUser == "" {
		return
	}
	h.messages <- message{to: head.ToUser, text: text}
}

func (h *hub) add(c *client) {
	if h.clients[c.name] == nil {
		h.clients[c.name] = make(map[*client]bool)
	}
	h.clients[c.name][c] = true
}

func (h *hub) remove(c *client) {
	if !h.clients[c.name][c] {
		return
	}
	delete(h.clients[c.name], c)
	if len(h.clients[c.name]) == 0 {
		delete(h.clients, c.name)
	}
	close(c.send)
}

// deliver hands the message to each client's writer; a client whose channel is full is dropped.
func (h *hub) deliver(m message) {
	for c := range h.clients[m.to] {
		select {
		case c.send <- m.text:
		default:
			h.remove(c)
		}
	}
}
