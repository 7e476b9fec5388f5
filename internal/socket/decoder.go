package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// decodeError fails the connection with a close code (RFC 6455, section 7.1.7).
type decodeError struct {
	code   uint16
	reason string
}

func (e *decodeError) Error() string { return "websocket: " + e.reason }

func protocolError(err error) *decodeError {
	return &decodeError{codeProtocol, err.Error()}
}

var (
	errTooBig     = &decodeError{codeTooBig, "message too big"}
	errInvalid    = &decodeError{codeInvalidData, "text is not valid UTF-8"}
	errTooSlow    = &decodeError{codePolicy, "a message arrives too slowly"}
	errNoRoom     = &decodeError{codeTryAgain, "too many unfinished messages"}
	errNotMinimal = errors.New("frame length not in its shortest form")
	errCloseShort = errors.New("close frame with one byte of payload")
)

// inbound collects what one read decoded.
type inbound struct {
	messages []Message
	pong     []byte // payload of the last ping; nil when there was none
	number   uint8  // of the last pong that had one
	ponged   bool   // there was one
	posts    []post // what the loop is to be told
	closed   bool
	code     uint16
	reason   string
	bytes    bytes.Reader
	head     [ws.MaxHeaderSize]byte
}

func (in *inbound) reset() {
	clear(in.messages)
	clear(in.posts)
	in.messages, in.posts, in.pong = in.messages[:0], in.posts[:0], nil
	in.closed, in.code, in.reason, in.ponged = false, 0, "", false
}

// decoder turns one client's bytes into messages (RFC 6455, sections 5 and 8.1).
// Between messages it holds nothing but a nil pointer. Not safe for concurrent
// use.
type decoder struct {
	part *partial
}

// partial is what an unfinished header, frame or message needs.
type partial struct {
	head    []byte    // bytes of an unfinished header
	frame   ws.Header // the frame being read; valid when inFrame
	inFrame bool
	got     int64 // payload bytes of frame that arrived

	op      ws.OpCode // of the fragmented message; 0 when there is none
	deflate bool      // the fragmented message is compressed
	data    []byte    // payload of the message so far
	control []byte    // payload of a control frame so far
	text    utf8Check

	charge Charge // of data

	received int       // bytes, since the clock was started
	began    time.Time // when it was, zero before
}

// rules are what a decoder holds messages to.
type rules struct {
	limit   int  // payload bytes of a message as it arrives
	deflate bool // messages may be compressed (RFC 7692)
	budget  *Budget
	owner   Ender // of what the budget is charged
}

// decode consumes b, which it may change. After an error or a close frame the
// decoder must not be used again.
func (d *decoder) decode(b []byte, r rules, in *inbound) error {
	for len(b) > 0 && !in.closed {
		if d.part == nil {
			n, err := d.whole(b, r, in)
			if err != nil {
				return err
			}
			if b = b[n:]; n > 0 {
				continue
			}
			d.part = new(partial)
		}
		rest, err := d.part.step(b, r, in)
		if err != nil {
			return err
		}
		d.part.received += len(b) - len(rest)
		b = rest
		if p := d.part; !p.inFrame && p.op == 0 && len(p.head) == 0 {
			d.drop(r.budget)
		}
	}
	return nil
}

// drop forgets an unfinished message.
func (d *decoder) drop(b *Budget) {
	if d.part != nil {
		b.Release(&d.part.charge)
		d.part = nil
	}
}

// ended reports whether the budget wants the unfinished message to end.
func (d *decoder) ended() bool { return d.part != nil && d.part.charge.over.Load() }

// whole takes the common case without any state: an unfragmented data frame
// that is all there. It returns the bytes consumed, 0 when it is another case.
func (d *decoder) whole(b []byte, r rules, in *inbound) (int, error) {
	h, n, err := parseHeader(b, in)
	if err != nil || n == 0 {
		return 0, err
	}
	if !h.Fin || h.OpCode.IsControl() || h.OpCode == ws.OpContinuation || h.Length > int64(len(b)-n) {
		return 0, nil
	}
	if err := checkHeader(h, 0, 0, r); err != nil {
		return 0, err
	}
	data := append(make([]byte, 0, h.Length), b[n:n+int(h.Length)]...)
	ws.Cipher(data, h.Mask, 0)
	if h.OpCode == ws.OpText && !h.Rsv1() && !utf8.Valid(data) {
		return 0, errInvalid
	}
	in.messages = append(in.messages, Message{Binary: h.OpCode == ws.OpBinary, Compressed: h.Rsv1(), Data: data})
	return n + int(h.Length), nil
}

// step consumes a header, or payload up to the end of a frame.
func (p *partial) step(b []byte, r rules, in *inbound) ([]byte, error) {
	if !p.inFrame {
		return p.header(b, r, in)
	}
	return p.payload(b, r, in)
}

func (p *partial) header(b []byte, r rules, in *inbound) ([]byte, error) {
	held := len(p.head)
	take := min(len(b), ws.MaxHeaderSize-held)
	p.head = append(p.head, b[:take]...)
	h, n, err := parseHeader(p.head, in)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return b[take:], nil
	}
	if err := checkHeader(h, p.op, len(p.data), r); err != nil {
		return nil, err
	}
	p.frame, p.inFrame, p.got, p.head = h, true, 0, nil
	b = b[n-held:]
	if h.Length == 0 {
		return b, p.endFrame(in)
	}
	return b, nil
}

func (p *partial) payload(b []byte, r rules, in *inbound) ([]byte, error) {
	n := int(min(int64(len(b)), p.frame.Length-p.got))
	piece := b[:n]
	ws.Cipher(piece, p.frame.Mask, int(p.got&3))
	if err := p.reserve(n, r); err != nil {
		return nil, err
	}
	p.got += int64(n)
	if p.frame.OpCode.IsControl() {
		p.control = append(p.control, piece...)
	} else {
		if p.isText() && !p.isDeflate() && !p.text.write(piece) {
			return nil, errInvalid
		}
		p.data = append(p.data, piece...)
	}
	if p.got < p.frame.Length {
		return b[n:], nil
	}
	return b[n:], p.endFrame(in)
}

// reserve makes room for n more bytes of a message, no more than twice of what it has, and
// has the budget hold that.
func (p *partial) reserve(n int, r rules) error {
	held := len(p.data)
	if p.frame.OpCode.IsControl() || cap(p.data)-held >= n {
		return nil
	}
	size := max(2*cap(p.data), held+n)
	if p.frame.Fin { // more than the rest of it does not come
		size = min(size, held+int(p.frame.Length-p.got))
	}
	if !r.budget.Hold(&p.charge, r.owner, size) {
		return errNoRoom
	}
	p.data = append(make([]byte, 0, size), p.data...)
	return nil
}

func (p *partial) isText() bool {
	return p.op == ws.OpText || p.op == 0 && p.frame.OpCode == ws.OpText
}

// isDeflate reports whether the message is compressed, which its first frame says
// (RFC 7692, section 6). Text can be checked only once it is inflated.
func (p *partial) isDeflate() bool {
	return p.deflate || p.op == 0 && p.frame.Rsv1()
}

func (p *partial) endFrame(in *inbound) error {
	p.inFrame = false
	if p.frame.OpCode.IsControl() {
		payload := p.control
		p.control = nil
		return in.control(p.frame.OpCode, payload)
	}
	isText, isDeflate := p.isText(), p.isDeflate()
	if !p.frame.Fin {
		if p.op == 0 {
			p.op, p.deflate = p.frame.OpCode, isDeflate
		}
		return nil
	}
	if isText && !p.text.done() {
		return errInvalid
	}
	in.messages = append(in.messages, Message{Binary: !isText, Compressed: isDeflate, Data: p.data})
	p.op, p.deflate, p.data, p.text = 0, false, nil, utf8Check{}
	return nil
}

// control takes a control frame. Of several pings only the last is answered
// (RFC 6455, section 5.5.3).
func (in *inbound) control(op ws.OpCode, payload []byte) error {
	switch op {
	case ws.OpPing:
		in.pong = append([]byte{}, payload...)
	case ws.OpPong:
		if number, ok := pongNumber(payload); ok {
			in.number, in.ponged = number, true
		}
	case ws.OpClose:
		return in.close(payload)
	}
	return nil
}

func (in *inbound) close(payload []byte) error {
	in.closed, in.code = true, codeNoStatus
	if len(payload) == 0 {
		return nil
	}
	if len(payload) == 1 {
		return protocolError(errCloseShort)
	}
	in.code, in.reason = binary.BigEndian.Uint16(payload), string(payload[2:])
	if !utf8.ValidString(in.reason) {
		return errInvalid
	}
	if !ValidCloseCode(in.code) {
		return protocolError(ws.ErrProtocolStatusCodeUnknown)
	}
	return nil
}

// ValidCloseCode reports whether a close frame may carry the code (RFC 6455,
// section 7.4, and the codes that IANA registered since: 1012 to 1014).
func ValidCloseCode(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	default:
		return code >= 3000 && code <= 4999
	}
}

// rsv1 marks a compressed message in a header.
var rsv1 = ws.Rsv(true, false, false)

// parseHeader returns the header at the start of b and its length, which is 0
// when b ends before it does.
func parseHeader(b []byte, in *inbound) (ws.Header, int, error) {
	in.bytes.Reset(b)
	h, err := ws.ReadHeaderBuffer(&in.bytes, in.head[:])
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return h, 0, nil
	}
	if err != nil {
		return h, 0, protocolError(err)
	}
	n := len(b) - in.bytes.Len()
	if n != ws.HeaderSize(h) {
		return h, 0, protocolError(errNotMinimal)
	}
	return h, n, nil
}

// checkHeader holds a frame's header against RFC 6455, sections 5.2 to 5.5,
// and the message against its limit before any of it is stored. op is that of
// the fragmented message under way, 0 when there is none.
func checkHeader(h ws.Header, op ws.OpCode, held int, r rules) error {
	state := ws.StateServerSide
	if op != 0 {
		state = state.Set(ws.StateFragmented)
	}
	if r.deflate && !h.OpCode.IsControl() && h.OpCode != ws.OpContinuation {
		h.Rsv &^= rsv1 // RFC 7692, section 6
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return protocolError(err)
	}
	if !h.OpCode.IsControl() && h.Length > int64(r.limit-held) {
		return errTooBig
	}
	return nil
}
