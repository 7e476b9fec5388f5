package parley

// Consumer is told what happens on one connection. Calls for one connection
// never overlap and keep their order. They may block: only their own connection
// waits, and reading from it stops once [Limits.ReceiveQueue] messages do.
//
// A panic in a call, or a call that ends its goroutine (runtime.Goexit), is logged and
// closes the connection with code 1011; nothing else is harmed. That includes the methods
// of the returned error. A nil [*Error] is no error.
type Consumer interface {
	// Connect is called during the handshake. An error refuses the connection
	// before the upgrade: an [*Error] with the HTTP status of its code, any
	// other with 500.
	//
	// What Connect joins, sends and replies is put off. Each call tells at once what is
	// known by then: a wrong address, a limit, a message that cannot be kept. All is done
	// after Connect returned nil, in order, before any other call, and before the client
	// sees that it is connected. Where Connect refuses, nothing is.
	//
	// Where something that was put off fails later, the connection is closed with the
	// close code of the error, which Disconnect is told; an error of [Conn.SendAsync],
	// its done alone. Connect and what it asked for may take [Limits.HandshakeTimeout].
	// Beyond, the close code is 1013, and the rest is not done.
	Connect(c *Conn) error

	// Receive is called for each message. An error closes the connection: an
	// [*Error] with the close code of its code, any other with 1011.
	Receive(c *Conn, m Message) error

	// Disconnect is called exactly once for each connection whose Connect
	// succeeded, after all else, however it ended; it waits for what
	// [Conn.SendAsync] has on its way. code is the peer's close code, ours where
	// we closed first, or 1006 where the connection was lost.
	Disconnect(c *Conn, code CloseCode)
}

// Encoder is a Consumer whose frames differ from its messages. Encode turns a
// message for the connection into what is sent. It is called once per message
// for all connections of one [Hub.Handler], on a consumer of its own, by any
// goroutine and by several at once: its result depends on the message alone. A
// message that cannot be encoded, or is made invalid text, is logged, counted in
// [Stats].Undeliverable, and not sent. So is one whose Encode panics, or ends its
// goroutine by runtime.Goexit. Of a message that is not kept, and of [Conn.Reply], that
// goroutine is the sender's.
type Encoder interface {
	Encode(m Message) (Message, error)
}

// Deliverer is a Consumer that decides what becomes of each message for its
// connection, in order with its other calls: it may filter, rewrite, or pass it
// on with [Conn.Reply]. An error closes the connection as one of Receive does.
//
// A kept message counts as sent to a user's device once Deliver returned nil. One for
// which it fails comes again to the device's next connection, each time, and all behind it
// wait: a message that nobody can use is to be passed over with nil. What Deliver
// replies before is not dropped: [Conn.Reply] waits for a client that reads slowly, and
// nothing else is received or delivered for that connection meanwhile. A reply that
// another goroutine makes later has no such promise.
type Deliverer interface {
	Deliver(c *Conn, m Message) error
}

// Base is a Consumer that does nothing. Embed it and write the methods needed.
type Base struct{}

// Connect accepts the connection.
func (Base) Connect(*Conn) error { return nil }

// Receive drops the message.
func (Base) Receive(*Conn, Message) error { return nil }

// Disconnect does nothing.
func (Base) Disconnect(*Conn, CloseCode) {}
