package scenario

import (
	"bytes"
	"fmt"
	"strings"
)

// A payload carries a number of fixed width behind a mark, wherever an envelope around it puts them.
const (
	mark   = '@'
	digits = 10
)

// numbered is a message whose number can be changed in place.
type numbered struct {
	text []byte
	at   int // where the digits begin
}

// textMessage is a plain text of size bytes.
func textMessage(size int) numbered {
	return newNumbered(stamp() + strings.Repeat("x", size-1-digits))
}

// userMessage is a JSON object of size bytes for a user.
func userMessage(to string, size int) numbered {
	frame := fmt.Sprintf(`{"message":"%s%%s","to_user":%q}`, stamp(), to)
	padding := max(0, size-len(frame)+len("%s"))
	return newNumbered(fmt.Sprintf(frame, strings.Repeat("x", padding)))
}

func stamp() string { return string(mark) + strings.Repeat("0", digits) }

func newNumbered(text string) numbered {
	return numbered{text: []byte(text), at: strings.IndexByte(text, mark) + 1}
}

// with is the message with number n; it is overwritten by the next call.
func (m numbered) with(n int) []byte {
	for i := m.at + digits - 1; i >= m.at; i-- {
		m.text[i] = byte('0' + n%10)
		n /= 10
	}
	return m.text
}

// number finds the number in a received text; ok is false when there is none.
func number(text []byte) (n int, ok bool) {
	at := bytes.IndexByte(text, mark) + 1
	if at == 0 || len(text) < at+digits {
		return 0, false
	}
	for _, c := range text[at : at+digits] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
