// Package wire holds the little of RFC 6455 that a load generator needs: building client frames and splitting what a server sends.
package wire

import (
	"encoding/binary"
	"errors"
)

// Opcodes of RFC 6455 section 5.2.
const (
	Text   byte = 0x1
	Binary byte = 0x2
	Close  byte = 0x8
	Ping   byte = 0x9
	Pong   byte = 0xA
)

// MaxPayload is the largest payload the generator accepts in one frame.
const MaxPayload = 64 << 10

const (
	finBit      = 0x80
	rsvBits     = 0x70
	opcodeBits  = 0x0F
	maskBit     = 0x80
	lengthBits  = 0x7F
	length16    = 126
	length64    = 127
	maxControl  = 125
	firstOfCtrl = 0x8
)

// What a server under test may not send.
var (
	ErrReserved   = errors.New("frame with reserved bits or a reserved opcode")
	ErrMasked     = errors.New("masked frame from a server")
	ErrFragmented = errors.New("fragmented message")
	ErrTooLarge   = errors.New("frame larger than the generator accepts")
)

// Frame is one frame from a server. Payload points into the buffer that was parsed.
type Frame struct {
	Op      byte
	Payload []byte
}

// AppendFrame appends a whole client message of one frame to dst.
// The masking key is zero, which RFC 6455 allows and which leaves the payload as it is.
func AppendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, finBit|op)
	switch n := len(payload); {
	case n < length16:
		dst = append(dst, maskBit|byte(n))
	case n <= 0xFFFF:
		dst = append(dst, maskBit|length16)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, maskBit|length64)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, payload...)
}

// Next splits the first frame off b and says how many bytes it took; none when b does not hold a whole frame yet.
func Next(b []byte) (Frame, int, error) {
	if len(b) < 2 {
		return Frame{}, 0, nil
	}
	if err := checkHeader(b[0], b[1]); err != nil {
		return Frame{}, 0, err
	}
	header, size, ok := payloadSize(b)
	if !ok {
		return Frame{}, 0, nil
	}
	if size > MaxPayload {
		return Frame{}, 0, ErrTooLarge
	}
	end := header + int(size)
	if len(b) < end {
		return Frame{}, 0, nil
	}
	return Frame{Op: b[0] & opcodeBits, Payload: b[header:end]}, end, nil
}

func checkHeader(first, second byte) error {
	op := first & opcodeBits
	switch {
	case first&rsvBits != 0, op > Binary && op < Close, op > Pong:
		return ErrReserved
	case first&finBit == 0, op == 0:
		return ErrFragmented
	case second&maskBit != 0:
		return ErrMasked
	case op >= firstOfCtrl && second&lengthBits > maxControl:
		return ErrTooLarge
	}
	return nil
}

// payloadSize reads the length field and says where the payload begins; ok is false when b ends before that.
func payloadSize(b []byte) (header int, size uint64, ok bool) {
	switch n := b[1] & lengthBits; n {
	case length16:
		if len(b) < 4 {
			return 0, 0, false
		}
		return 4, uint64(binary.BigEndian.Uint16(b[2:])), true
	case length64:
		if len(b) < 10 {
			return 0, 0, false
		}
		return 10, binary.BigEndian.Uint64(b[2:]), true
	default:
		return 2, uint64(n), true
	}
}

// CloseCode reads the status of a close frame's payload; 1005 means that it held none (RFC 6455 section 7.1.5).
func CloseCode(payload []byte) int {
	if len(payload) < 2 {
		return 1005
	}
	return int(binary.BigEndian.Uint16(payload))
}
