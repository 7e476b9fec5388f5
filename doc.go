// Package parley lets programs and browsers talk: to everyone, to a group, or
// to one named person, over WebSocket (RFC 6455) and net/http.
//
// A program writes a [Consumer], which is told when a connection opens, what it
// receives and when it ends, and mounts it on any [net/http.ServeMux]:
//
//	hub := parley.NewHub(nil)
//	mux.Handle("/ws/", hub.Handler(func() parley.Consumer { return Lobby{} }))
//
// An [Address] names who gets a message: [Everyone], [Group], [User], or one
// connection. [Hub.Send] sends for the program, [Conn.Send] for the user of a
// connection, and [Conn.Reply] answers one client.
//
// Calls of one connection's consumer never overlap and keep their order; they
// may block, and then only their own connection waits.
//
// Messages to kept addresses, users by default ([Options.Keep]), go into a log of
// their [Layer] first: [Hub.Send] returns once they are safe there, and each
// connection of the address gets all of them in one order, now or when it comes
// back ([Conn.Identify], [JoinOptions]). Other messages are delivered at most once,
// to the connections that are there; those of one sender arrive in the order sent.
package parley
