// Package dialect holds what the systems' clients say over a WebSocket: plain messages, or Socket.IO's envelope around them.
package dialect

// Kind tells what a text frame from a server is.
type Kind int

// The kinds of frames.
const (
	Message Kind = iota // a message for the scenario
	Ready               // the server has admitted the connection
	Control             // the protocol's own; it may ask for a reply
)

// Dialect is how one family of systems is spoken to. Its methods keep no state, so one value serves all connections.
type Dialect interface {
	// Path is where a user connects; the empty name is the endpoint where every message goes to everyone.
	Path(user string) string
	// ReadyOnUpgrade says whether a connection may send as soon as the upgrade is answered.
	ReadyOnUpgrade() bool
	// Append wraps a message, JSON object or plain text, as the payload of a text frame.
	Append(dst, message []byte) []byte
	// Classify tells what a payload is, and what must be sent back, nil for nothing.
	Classify(payload []byte) (Kind, []byte)
}
