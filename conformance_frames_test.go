package parley_test

import (
	"fmt"
	"strings"
	"testing"
)

// long returns n bytes of text.
func long(n int) string { return strings.Repeat("parley! ", n/8+1)[:n] }

// TestConformanceFrames holds the server to RFC 6455, sections 5.1 to 5.4.
func TestConformanceFrames(t *testing.T) {
	cases := []breach{
		{"5.1 unmasked text fails the connection", "\x81\x01a", []string{"close 1002"}},
		{"5.1 unmasked ping fails the connection", "\x89\x01a", []string{"close 1002"}},
		{"5.1 unmasked close fails the connection", "\x88\x02\x03\xe8", []string{"close 1002"}},
		{"5.1 unmasked empty frame fails the connection", "\x81\x00", []string{"close 1002"}},
		{"5.1 unmasked continuation fails the connection", frame(opText, "a") + "\x80\x01b", []string{"close 1002"}},
		{"5.1 nothing is processed after a failure", "\x81\x01a" + text("b") + closing(1000, ""), []string{"close 1002"}},
		{"5.1 messages before a failure may be answered", text("a") + "\x81\x01b", []string{`?text "a"`, "close 1002"}},
		{"5.3 a mask of zeros", "\x81\x81\x00\x00\x00\x00a", []string{`text "a"`}},

		{"5.2 RSV1 fails the connection", frame(fin|rsv1|opText, "a"), []string{"close 1002"}},
		{"5.2 RSV2 fails the connection", frame(fin|rsv2|opBinary, "a"), []string{"close 1002"}},
		{"5.2 RSV3 fails the connection", frame(fin|rsv3|opText, "a"), []string{"close 1002"}},
		{"5.2 RSV bits of a ping", frame(fin|rsv1|opPing, ""), []string{"close 1002"}},
		{"5.2 RSV bits of a close", frame(fin|rsv2|opClose, ""), []string{"close 1002"}},
		{"5.2 RSV bits of a continuation", frame(opText, "a") + frame(fin|rsv3|opMore, "b"), []string{"close 1002"}},

		{"5.2 16-bit length of 125", framed(fin|opText, 2, 125) + mask(long(125)), []string{"close 1002"}},
		{"5.2 16-bit length of 0", framed(fin|opText, 2, 0), []string{"close 1002"}},
		{"5.2 64-bit length of 65535", framed(fin|opText, 8, 65535) + mask(long(65535)), []string{"close 1002"}},
		{"5.2 64-bit length of 1", framed(fin|opBinary, 8, 1) + "a", []string{"close 1002"}},
		{"5.2 16-bit length of a ping", framed(fin|opPing, 2, 3) + mask("abc"), []string{"close 1002"}},
		{"5.2 64-bit length with the first bit set", framed(fin|opText, 8, 1<<63|1), []string{"close 1002"}},
		{"5.2 64-bit length of all bits", framed(fin|opBinary, 8, 1<<64-1), []string{"close 1002"}},

		{"5.4 two fragments", frame(opText, "a") + frame(fin|opMore, "b"), []string{`text "ab"`}},
		{
			"5.4 many fragments", frame(opBinary, "a") + strings.Repeat(frame(opMore, "b"), 100) + frame(fin|opMore, "c"),
			[]string{fmt.Sprintf("binary %q", "a"+strings.Repeat("b", 100)+"c")},
		},
		{"5.4 empty first fragment", frame(opText, "") + frame(fin|opMore, "b"), []string{`text "b"`}},
		{"5.4 empty last fragment", frame(opBinary, "a") + frame(fin|opMore, ""), []string{`binary "a"`}},
		{"5.4 empty fragments alone", frame(opText, "") + frame(opMore, "") + frame(fin|opMore, ""), []string{`text ""`}},
		{"5.4 messages after a fragmented one", frame(opText, "a") + frame(fin|opMore, "b") + text("c"), []string{`text "ab"`, `text "c"`}},
		{"5.4 ping between fragments", frame(opText, "a") + ping("p") + frame(fin|opMore, "b"), []string{`pong "p"`, `text "ab"`}},
		{"5.4 pong between fragments", frame(opText, "a") + frame(fin|opPong, "p") + frame(fin|opMore, "b"), []string{`text "ab"`}},
		{"5.4 close between fragments", frame(opText, "a") + closing(1000, "") + frame(fin|opMore, "b"), []string{"close 1000"}},
		{"5.4 ping within a character", frame(opText, "\xe2\x82") + ping("p") + frame(fin|opMore, "\xac"), []string{`pong "p"`, `text "€"`}},
		{"5.4 continuation of nothing", frame(fin|opMore, "a"), []string{"close 1002"}},
		{"5.4 continuation of nothing, not the last", frame(opMore, "a"), []string{"close 1002"}},
		{"5.4 continuation of a whole message", text("a") + frame(fin|opMore, "b"), []string{`?text "a"`, "close 1002"}},
		{
			"5.4 continuation of a finished message", frame(opText, "a") + frame(fin|opMore, "b") + frame(fin|opMore, "c"),
			[]string{`?text "ab"`, "close 1002"},
		},
		{"5.4 text within a fragmented message", frame(opText, "a") + text("b"), []string{"close 1002"}},
		{"5.4 binary within a fragmented message", frame(opText, "a") + frame(fin|opBinary, "b"), []string{"close 1002"}},
		{"5.4 fragment within a fragmented message", frame(opBinary, "a") + frame(opBinary, "b"), []string{"close 1002"}},
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		cases = append(cases,
			breach{fmt.Sprintf("5.2 reserved opcode %X", op), frame(fin|op, "a"), []string{"close 1002"}},
			breach{fmt.Sprintf("5.2 reserved opcode %X, not the last", op), frame(op, ""), []string{"close 1002"}},
			breach{fmt.Sprintf("5.2 reserved opcode %X between fragments", op), frame(opText, "a") + frame(fin|op, "b"), []string{"close 1002"}})
	}
	for _, n := range []int{0, 1, 124, 125, 126, 127, 128, 65535, 65536, messageLimit} {
		cases = append(cases,
			breach{fmt.Sprintf("5.6 text of %d bytes", n), text(long(n)), []string{inWords(opText, []byte(long(n)))}},
			breach{
				fmt.Sprintf("5.6 binary of %d bytes", n), frame(fin|opBinary, "\xff"+long(n)[min(1, n):]),
				[]string{inWords(opBinary, []byte("\xff"+long(n)[min(1, n):]))},
			})
	}
	conform(t, cases)
}

// TestConformanceControl holds the server to RFC 6455, section 5.5 but for close
// frames.
func TestConformanceControl(t *testing.T) {
	cases := []breach{
		{"5.5 ping of 126 bytes", frame(fin|opPing, long(126)), []string{"close 1002"}},
		{"5.5 pong of 126 bytes", frame(fin|opPong, long(126)), []string{"close 1002"}},
		{"5.5 close of 126 bytes", closing(1000, long(124)), []string{"close 1002"}},
		{"5.5 ping that says 2^62 bytes", framed(fin|opPing, 8, 1<<62), []string{"close 1002"}},
		{"5.5 fragmented ping", frame(opPing, "a") + frame(fin|opMore, "b"), []string{"close 1002"}},
		{"5.5 fragmented pong", frame(opPong, "a") + frame(fin|opMore, "b"), []string{"close 1002"}},
		{"5.5 fragmented close", frame(opClose, "") + frame(fin|opMore, ""), []string{"close 1002"}},
		{"5.5.2 empty ping", ping(""), []string{`pong ""`}},
		{"5.5.2 ping with text", ping("Hello"), []string{`pong "Hello"`}},
		{"5.5.2 ping with bytes that are no text", ping("\x00\xff\xfe"), []string{`pong "\x00\xff\xfe"`}},
		{"5.5.2 ping of 125 bytes", ping(long(125)), []string{fmt.Sprintf("pong %q", long(125))}},
		{"5.5.2 ping after a message", text("a") + ping("p"), []string{`text "a"`, `pong "p"`}},
		{"5.5.2 ping before a close", ping("p") + closing(1000, ""), []string{`pong "p"`, "close 1000"}},
		{"5.5.2 ping after a close", closing(1000, "") + ping("p"), []string{"close 1000"}},
		{"5.5.3 the last of several pings", ping("a") + ping("b") + ping("c"), []string{`?pong "a"`, `?pong "b"`, `pong "c"`}},
		{"5.5.3 unsolicited pong", frame(fin|opPong, "a") + text("b"), []string{`text "b"`}},
		{"5.5.3 unsolicited pongs", strings.Repeat(frame(fin|opPong, ""), 50), nil},
	}
	conform(t, cases)
}

// TestConformanceLimit holds the server to RFC 6455, sections 7.4.1 and 10.4: a
// message that is too big, whatever tells so first, is answered with 1009.
func TestConformanceLimit(t *testing.T) {
	half := long(messageLimit / 2)
	conform(t, []breach{
		{"10.4 one frame", text(long(messageLimit + 1)), []string{"close 1009"}},
		{"10.4 one frame that has only begun", framed(fin|opText, 8, messageLimit+1), []string{"close 1009"}},
		{"10.4 a frame that says 2^62 bytes", framed(fin|opBinary, 8, 1<<62), []string{"close 1009"}},
		{"10.4 a frame that says 2^63-1 bytes", framed(opBinary, 8, 1<<63-1), []string{"close 1009"}},
		{
			"10.4 fragments of the limit", frame(opText, half) + frame(fin|opMore, half),
			[]string{inWords(opText, []byte(half+half))},
		},
		{
			"10.4 fragments past the limit", frame(opText, half) + frame(opMore, half) + framed(fin|opMore, 0, 1),
			[]string{"close 1009"},
		},
		{"10.4 many fragments", frame(opBinary, "") + strings.Repeat(frame(opMore, half), 3), []string{"close 1009"}},
		{
			"10.4 control frames do not count", frame(opText, half) + ping("p") + frame(fin|opMore, half),
			[]string{`pong "p"`, inWords(opText, []byte(half+half))},
		},
		{
			"10.4 a message after one of the limit", text(half+half) + text("a"),
			[]string{inWords(opText, []byte(half+half)), `text "a"`},
		},
	})
}
