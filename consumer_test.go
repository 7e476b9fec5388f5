package parley_test

import "github.com/parley-rt/parley"

// consumer is a Consumer of functions; those that are nil do nothing.
type consumer struct {
	connect    func(*parley.Conn) error
	receive    func(*parley.Conn, parley.Message) error
	disconnect func(*parley.Conn, parley.CloseCode)
}

func (f consumer) Connect(c *parley.Conn) error {
	if f.connect == nil {
		return nil
	}
	return f.connect(c)
}

func (f consumer) Receive(c *parley.Conn, m parley.Message) error {
	if f.receive == nil {
		return nil
	}
	return f.receive(c, m)
}

func (f consumer) Disconnect(c *parley.Conn, code parley.CloseCode) {
	if f.disconnect != nil {
		f.disconnect(c, code)
	}
}

// deliverer is a consumer that is asked about each message for it.
type deliverer struct {
	consumer
	deliver func(*parley.Conn, parley.Message) error
}

func (d deliverer) Deliver(c *parley.Conn, m parley.Message) error { return d.deliver(c, m) }
