package parley_test

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/parley-rt/parley"
)

// deflated returns the compressed payload of a message (RFC 7692, section 7.2.1),
// made by another implementation than the server's.
func deflated(message string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err == nil {
		_, err = io.WriteString(w, message)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err) // a Buffer fails nothing
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// inflated returns the message of a compressed payload (RFC 7692, section 7.2.2).
func inflated(payload []byte) ([]byte, error) {
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
}

// hello is the payload of the example in RFC 7692, section 7.2.3.1.
const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00"

// noise returns n bytes that do not shrink.
func noise(n int) string {
	b := make([]byte, n)
	state := uint32(1)
	for i := range b {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		b[i] = byte(state)
	}
	return string(b)
}

// conformCompressing is conform on connections that agreed on permessage-deflate.
func conformCompressing(t *testing.T, cases []breach) {
	t.Helper()
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		hub := k.hub(t, &parley.Options{Compression: true, Limits: parley.Limits{MessageBytes: messageLimit}})
		s := newSite(t, k.transport, hub, newEcho)
		s.deflates = true
		for _, way := range ways {
			for _, c := range cases {
				t.Run(way+"/"+c.name, func(t *testing.T) { c.run(t, s, way) })
			}
		}
	})
}

// TestConformanceCompression holds connections that agreed on permessage-deflate
// to RFC 7692, sections 6 and 7.2. Where the client's close frame stands behind
// what fails, the server would wait for it.
func TestConformanceCompression(t *testing.T) {
	const first, compressed = rsv1 | opText, fin | rsv1 | opText
	long, bye := long(5000), closing(1000, "")
	conformCompressing(t, []breach{
		{"6.1 a message that is not compressed", text("a"), []string{`text "a"`}},
		{"6.1 fragments that are not compressed", frame(opText, "\xe2\x82") + frame(fin|opMore, "\xac"), []string{`text "€"`}},
		{"6.1 compressed text", frame(compressed, hello), []string{`text "Hello"`}},
		{"6.1 compressed binary", frame(fin|rsv1|opBinary, hello), []string{`binary "Hello"`}},
		{"6.1 both kinds", frame(compressed, hello) + text("a") + frame(compressed, hello), []string{`text "Hello"`, `text "a"`, `text "Hello"`}},
		{"6.1 two fragments", frame(first, hello[:3]) + frame(fin|opMore, hello[3:]), []string{`text "Hello"`}},
		{"6.1 empty fragments", frame(first, "") + frame(opMore, "") + frame(opMore, hello) + frame(fin|opMore, ""), []string{`text "Hello"`}},
		{
			"6.1 control frames between fragments", frame(first, hello[:1]) + ping("p") + frame(opMore, hello[1:4]) + frame(fin|opPong, "") + frame(fin|opMore, hello[4:]),
			[]string{`pong "p"`, `text "Hello"`},
		},
		{"6.1 a long message comes back compressed", text(long), []string{"compressed " + inWords(opText, []byte(long))}},
		{"6.1 a long compressed message", frame(compressed, deflated(long)), []string{"compressed " + inWords(opText, []byte(long))}},
		{"6.1 a short message is not worth it", text(long[:255]), []string{inWords(opText, []byte(long[:255]))}},
		{"6.1 one of 256 bytes is", text(long[:256]), []string{"compressed " + inWords(opText, []byte(long[:256]))}},
		{"6.1 a message that does not shrink", frame(fin|opBinary, noise(5000)), []string{inWords(opBinary, []byte(noise(5000)))}},
		{"6.1 close between fragments", frame(first, hello[:3]) + bye, []string{"close 1000"}},

		{"6.1 RSV1 of a continuation", frame(first, hello[:3]) + frame(fin|rsv1|opMore, hello[3:]), []string{"close 1002"}},
		{"6.1 RSV1 of a continuation alone", frame(opText, "a") + frame(fin|rsv1|opMore, "b"), []string{"close 1002"}},
		{"6.1 RSV1 of a ping", frame(fin|rsv1|opPing, ""), []string{"close 1002"}},
		{"6.1 RSV1 of a ping between fragments", frame(first, hello[:3]) + frame(fin|rsv1|opPing, ""), []string{"close 1002"}},
		{"6.1 RSV1 of a close", frame(fin|rsv1|opClose, ""), []string{"close 1002"}},
		{"6.1 RSV1 of a reserved opcode", frame(fin|rsv1|3, ""), []string{"close 1002"}},
		{"6.1 RSV2", frame(fin|rsv2|opText, "a"), []string{"close 1002"}},
		{"6.1 RSV3 with RSV1", frame(fin|rsv1|rsv3|opText, hello), []string{"close 1002"}},

		{"7.2.2 corrupt", frame(compressed, "\xff\xff\xff") + bye, []string{"close 1007"}},
		{"7.2.2 cut", frame(compressed, hello[:3]) + bye, []string{"close 1007"}},
		{"7.2.2 empty", frame(compressed, "") + bye, []string{"close 1007"}},
		{"7.2.2 a context that was not taken over", frame(compressed, hello) + frame(compressed, "\xf2\x00\x11\x00\x00") + bye, []string{`text "Hello"`, "close 1007"}},
		{"7.2.2 messages after a corrupt one", frame(compressed, "\xff") + text("a") + frame(compressed, hello) + bye, []string{"close 1007"}},
		{"7.2.2 a ping after a corrupt one", frame(compressed, "\xff") + ping("p") + bye, []string{`?pong "p"`, "close 1007"}},
		{"7.2.3.4 a final block", frame(compressed, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []string{`text "Hello"`}},
		{"7.2.3.5 two blocks", frame(compressed, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), []string{`text "Hello"`}},
		{"7.2.3.6 an empty message", frame(compressed, "\x00"), []string{`text ""`}},

		{"RFC 6455 8.1 text that is not UTF-8", frame(compressed, deflated("a\xffb")) + bye, []string{"close 1007"}},
		{"RFC 6455 8.1 text that ends in a character", frame(compressed, deflated("\xe2\x82")) + bye, []string{"close 1007"}},
		{"RFC 6455 8.1 fragments of text that is not UTF-8", frame(first, deflated("\xff")[:1]) + frame(fin|opMore, deflated("\xff")[1:]) + bye, []string{"close 1007"}},
		{"RFC 6455 8.1 binary may be anything", frame(fin|rsv1|opBinary, deflated("a\xffb")), []string{`binary "a\xffb"`}},
		{"RFC 6455 8.1 characters that are cut while compressed", frame(first, deflated("κόσμε")[:3]) + frame(fin|opMore, deflated("κόσμε")[3:]), []string{`text "κόσμε"`}},

		{"the longest message", frame(compressed, deflated(strings.Repeat("a", messageLimit))), []string{"compressed " + inWords(opText, bytes.Repeat([]byte("a"), messageLimit))}},
		{"too long once inflated", frame(compressed, deflated(strings.Repeat("a", messageLimit+1))) + bye, []string{"close 1009"}},
		{"far too long once inflated", frame(compressed, deflated(strings.Repeat("\x00", 8<<20))) + bye, []string{"close 1009"}},
		{"too long compressed", frame(compressed, strings.Repeat("\x00", messageLimit+1)), []string{"close 1009"}},
	})
}
