package parley

import (
	"encoding/json"
	"time"
)

// Message is what a connection received or is sent. Its data is immutable and
// never reused: anyone may keep it, nobody may change it, and sending a message
// gives its data away.
type Message struct {
	Binary bool   // a binary message (RFC 6455, section 5.6), not text
	Data   []byte // the payload; text is valid UTF-8

	// Set once the message was sent somewhere.
	To   Address
	From Address // the sender's user; zero when it has none
	Time time.Time

	// Cursor is the place of a kept message in the log of its address. It is zero
	// where the message is not kept.
	Cursor Cursor
}

// kept reports whether m has a place in a log.
func (m *Message) kept() bool { return !m.Cursor.IsZero() }

// Text returns a text message. Text that is not valid UTF-8 makes clients close
// the connection that receives it.
func Text(s string) Message { return Message{Data: []byte(s)} }

// JSONMessage returns a text message that holds v, or the error of encoding it.
func JSONMessage(v any) (Message, error) {
	data, err := json.Marshal(v)
	return Message{Data: data}, err
}
