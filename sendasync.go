package parley

// SendAsync is [Hub.Send] that does not wait until a kept message is safe.
func (h *Hub) SendAsync(to Address, m Message, done func(Sent, error), options ...SendOption) {
	panic("not yet")
}

// SendAsync is [Conn.Send] that does not wait until a kept message is safe.
func (c *Conn) SendAsync(to Address, m Message, done func(Sent, error), options ...SendOption) {
	panic("not yet")
}

// Health returns nil while messages can be kept, or why they cannot.
func (h *Hub) Health() error { return h.link.Health() }
