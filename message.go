package parley

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Message is what a connection received or is sent. Its data is immutable and
// never reused: anyone may keep it, nobody may change it, and sending a message
// gives its data away.
type Message struct {
	Binary bool   // a binary message (RFC 6455, section 5.6), not text
	Data   []byte // the payload; text is valid UTF-8

	// Set once the message was sent somewhere.
	To   Address
	From Address   // the sender's user; zero when it has none. The program may set any valid address
	Time time.Time // by the wall clock of the machine, which may be set back

	// Cursor is the place of a kept message in the log of its address. It is zero
	// where the message is not kept.
	Cursor Cursor
}

// kept reports whether m has a place in a log.
func (m *Message) kept() bool { return !m.Cursor.IsZero() }

// Text returns a text message. Clients must close a connection that brings them
// invalid UTF-8 (RFC 6455, section 8.1), so sending such text is an error with the
// code [BadRequest].
func Text(s string) Message { return Message{Data: []byte(s)} }

// JSONMessage returns a text message that holds v, or the error of encoding it. It
// leaves "<", ">" and "&" as they are, unlike [json.Marshal]. A v that encodes itself
// as invalid UTF-8, such as a [json.RawMessage], is an error with the code [BadRequest].
func JSONMessage(v any) (Message, error) {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return Message{}, err
	}
	m := Message{Data: bytes.TrimSuffix(data.Bytes(), []byte("\n"))}
	return m, m.check()
}

// check returns an error with the code BadRequest for text that is not UTF-8.
func (m *Message) check() error {
	if m.Binary || utf8.Valid(m.Data) {
		return nil
	}
	at := 0
	for r, n := utf8.DecodeRune(m.Data); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(m.Data[at:]) {
		at += n
	}
	return &Error{BadRequest, fmt.Sprintf("text is not UTF-8 at byte %d (%#x): send a Binary message, or use strings.ToValidUTF8", at, m.Data[at])}
}

// checkFrom returns an error with the code BadRequest for a sender with an invalid name.
func (m *Message) checkFrom() error {
	if m.From.IsZero() {
		return nil
	}
	if told, ok := errors.AsType[*Error](m.From.check()); ok {
		return &Error{told.Code, "From: " + told.Message}
	}
	return nil
}
