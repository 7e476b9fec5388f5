package parley

import (
	"encoding/base64"
	"encoding/binary"
)

// Cursor marks a place in an address's log. Clients store its text and hand it
// back; what is in it is no business of theirs. Cursors of one address are
// comparable, and those of one Epoch are in the order of Seq. The zero Cursor is
// no place.
type Cursor struct {
	Epoch uint64 // the log's life: what was restored or made anew has another
	Seq   uint64 // grows from message to message, not always by 1
}

// ParseCursor parses what [Cursor.String] returns. Its errors have the code
// [BadRequest].
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil && len(b) > 8 {
		seq, n := binary.Uvarint(b[8:])
		c := Cursor{binary.BigEndian.Uint64(b), seq}
		if n == len(b)-8 && c.String() == text {
			return c, nil
		}
	}
	return Cursor{}, &Error{BadRequest, "not a cursor"}
}

// String returns the text form, "" for the zero Cursor.
func (c Cursor) String() string {
	if c.IsZero() {
		return ""
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 18), c.Epoch)
	return base64.RawURLEncoding.EncodeToString(binary.AppendUvarint(b, c.Seq))
}

// IsZero reports whether c is the zero Cursor.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// MarshalText returns the text form.
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is [ParseCursor].
func (c *Cursor) UnmarshalText(text []byte) error {
	parsed, err := ParseCursor(string(text))
	if err == nil {
		*c = parsed
	}
	return err
}
