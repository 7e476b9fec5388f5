package dialect

// SocketIO is Socket.IO 5 in Engine.IO 4's WebSocket transport, as far as a client without namespaces and acknowledgements needs it.
type SocketIO struct{}

// The packets of Engine.IO, and those of Socket.IO that begin with Engine.IO's "message" (4).
const (
	engineOpen    = '0'
	enginePing    = '2'
	engineMessage = '4'
	socketConnect = '0'
	socketEvent   = '2'
)

var (
	connectPacket = []byte("40")
	pongPacket    = []byte("3")
)

// Path names the user in the query, where the server's handshake finds it.
func (SocketIO) Path(user string) string {
	path := "/socket.io/?EIO=4&transport=websocket"
	if user == "" {
		return path
	}
	return path + "&user=" + user
}

// ReadyOnUpgrade is false: the server answers a connect packet first.
func (SocketIO) ReadyOnUpgrade() bool { return false }

// Append wraps the message as the only argument of an event named "message".
func (SocketIO) Append(dst, message []byte) []byte {
	dst = append(dst, `42["message",`...)
	if len(message) > 0 && message[0] == '{' {
		dst = append(dst, message...)
	} else {
		dst = append(dst, '"')
		dst = append(dst, message...)
		dst = append(dst, '"')
	}
	return append(dst, ']')
}

// Classify reads the packet's first characters.
func (SocketIO) Classify(payload []byte) (Kind, []byte) {
	if len(payload) == 0 {
		return Control, nil
	}
	switch payload[0] {
	case engineOpen:
		return Control, connectPacket
	case enginePing:
		return Control, pongPacket
	case engineMessage:
		return classifySocket(payload[1:]), nil
	}
	return Control, nil
}

func classifySocket(packet []byte) Kind {
	if len(packet) == 0 {
		return Control
	}
	switch packet[0] {
	case socketConnect:
		return Ready
	case socketEvent:
		return Message
	}
	return Control
}
