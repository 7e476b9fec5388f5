package socket

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const opPong = ws.OpPong

// maxControl is the largest payload of a control frame (RFC 6455, section 5.5).
const maxControl = ws.MaxControlFramePayloadSize

// Frame returns the frame of one data message in memory of its own (RFC 6455,
// section 5.2; a server's frames are not masked).
func Frame(isBinary bool, payload []byte) []byte {
	size := ws.HeaderSize(ws.Header{Length: int64(len(payload))}) + len(payload)
	return AppendFrame(make([]byte, 0, size), isBinary, payload)
}

// AppendFrame appends what Frame returns.
func AppendFrame(dst []byte, isBinary bool, payload []byte) []byte {
	op := ws.OpText
	if isBinary {
		op = ws.OpBinary
	}
	return appendFrame(dst, op, payload)
}

// CompressedFrame is Frame for a payload that is compressed: its RSV1 bit is set
// (RFC 7692, section 6).
func CompressedFrame(isBinary bool, payload []byte) []byte {
	frame := Frame(isBinary, payload)
	frame[0] |= 0x40
	return frame
}

func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}

// closeFrame returns a close frame. No code (0 or 1005) is an empty payload;
// a reason too long for a control frame is cut at a character. What is not
// UTF-8 in it is replaced.
func closeFrame(code uint16, reason string) []byte {
	if code == 0 || code == codeNoStatus {
		return ws.CompiledClose
	}
	reason = strings.ToValidUTF8(reason, "\ufffd")
	for len(reason) > maxControl-2 {
		_, n := utf8.DecodeLastRuneInString(reason)
		reason = reason[:len(reason)-n]
	}
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, maxControl), code)
	return appendFrame(nil, ws.OpClose, append(payload, reason...))
}

// frameLen returns the length of the first frame in b, which this package
// encoded: whole and not masked.
func frameLen(b []byte) int {
	switch n := b[1] & 0x7f; n {
	case 126:
		return 4 + int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return 10 + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2 + int(n)
	}
}

// cutFrames returns the smallest end of a frame in b that is at or after n.
func cutFrames(b []byte, n int) int {
	end := 0
	for end < n {
		end += frameLen(b[end:])
	}
	return end
}

// isPing reports whether the first frame in b is a ping.
func isPing(b []byte) bool { return ws.OpCode(b[0]&0xf) == ws.OpPing }

// isPong reports whether the first frame in b is a pong.
func isPong(b []byte) bool { return ws.OpCode(b[0]&0xf) == ws.OpPong }

// countFrames returns how many data frames b holds.
func countFrames(b []byte) (n int) {
	for len(b) > 0 {
		if !ws.OpCode(b[0] & 0xf).IsControl() {
			n++
		}
		b = b[frameLen(b):]
	}
	return n
}
