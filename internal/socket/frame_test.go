package socket

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestFrame holds the server's frames to RFC 6455, section 5.2: FIN set, not
// masked, the length in its shortest form.
func TestFrame(t *testing.T) {
	t.Parallel()
	for n, head := range map[int]string{
		0: "\x82\x00", 1: "\x82\x01", 125: "\x82\x7d",
		126: "\x82\x7e\x00\x7e", 65535: "\x82\x7e\xff\xff",
		65536: "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		payload := bytes.Repeat([]byte{'a'}, n)
		frame := Frame(true, payload)
		if want := append([]byte(head), payload...); !bytes.Equal(frame, want) {
			t.Errorf("the frame of %d bytes begins with % x, want % x", n, frame[:min(len(frame), 10)], head)
		}
		if got := frameLen(frame); got != len(frame) {
			t.Errorf("frameLen is %d, want %d", got, len(frame))
		}
	}
	if got := Frame(false, []byte("a")); string(got) != "\x81\x01a" {
		t.Errorf("the frame of a text is % x", got)
	}
}

// TestCloseFrame cuts reasons that no control frame holds, and never within a
// character; what a program gives for one may be any bytes.
func TestCloseFrame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code         uint16
		reason, want string
	}{
		{0, "", ""},
		{codeNoStatus, "ignored", ""},
		{codeNormal, "", ""},
		{codeNormal, "bye", "bye"},
		{4000, strings.Repeat("a", 123), strings.Repeat("a", 123)},
		{4000, strings.Repeat("a", 124), strings.Repeat("a", 123)},
		{4000, strings.Repeat("a", 122) + "é", strings.Repeat("a", 122)},
		{4000, strings.Repeat("€", 50), strings.Repeat("€", 41)},
		{4000, "a\xffb", "a\ufffdb"},
		{4000, strings.Repeat("\xff", 1), "\ufffd"},
		{4000, strings.Repeat("a\xff", 100), strings.Repeat("a\ufffd", 30) + "a"},
	} {
		frame := closeFrame(c.code, c.reason)
		if frame[0] != 0x88 || int(frame[1]) != len(frame)-2 || frame[1] > 125 {
			t.Fatalf("closeFrame(%d, %q) is % x", c.code, c.reason, frame)
		}
		if c.code == 0 || c.code == codeNoStatus {
			if len(frame) != 2 {
				t.Errorf("closeFrame(%d, %q) is % x, want it empty", c.code, c.reason, frame)
			}
			continue
		}
		code, reason := binary.BigEndian.Uint16(frame[2:]), string(frame[4:])
		if code != c.code || reason != c.want || !utf8.ValidString(reason) {
			t.Errorf("closeFrame(%d, %q) says %d %q, want %q", c.code, c.reason, code, reason, c.want)
		}
	}
}

// TestCutFrames finds the borders of frames.
func TestCutFrames(t *testing.T) {
	t.Parallel()
	var all []byte
	ends := []int{0}
	for _, n := range []int{0, 5, 125, 126, 300, 65535, 65536, 1} {
		all = append(all, Frame(false, make([]byte, n))...)
		ends = append(ends, len(all))
	}
	at := 0
	for n := range len(all) + 1 {
		if n > ends[at] {
			at++
		}
		if got := cutFrames(all, n); got != ends[at] {
			t.Fatalf("cutFrames(%d) is %d, want %d", n, got, ends[at])
		}
		if want := ends[at]; n < want {
			want = ends[at-1]
			if got := wholeFrames(all, n); got != want {
				t.Fatalf("wholeFrames(%d) is %d, want %d", n, got, want)
			}
		}
	}
	if got := countFrames(all); got != len(ends)-1 {
		t.Errorf("countFrames is %d, want %d", got, len(ends)-1)
	}
	control := append(appendFrame(nil, opPong, []byte("p")), "\x89\x00"...)
	if got := countFrames(append(control, all...)); got != len(ends)-1 {
		t.Errorf("countFrames is %d with control frames, want %d", got, len(ends)-1)
	}
}
