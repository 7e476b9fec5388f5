package deflate_test

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/parley-rt/parley/internal/deflate"
)

// compress returns the compressed payload of a message, nil when it does not
// shrink.
func compress(c *deflate.Codec, message []byte) (payload []byte) {
	c.Compress(message, func(compressed []byte) { payload = bytes.Clone(compressed) })
	return payload
}

// chat returns n bytes of a text that repeats itself as people do.
func chat(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"from":"user %d","message":"hello %d, and hello again"},`, i%97, i*7919)
	}
	return b.Bytes()[:n]
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	c := deflate.NewCodec(1)
	for _, n := range []int{100, 1000, 32 << 10, 32<<10 + 1, 100_000, 1 << 20} {
		message := chat(n)
		payload := compress(c, message)
		if payload == nil || len(payload) > n*3/4 {
			t.Errorf("%d bytes are compressed to %d", n, len(payload))
		}
		got, err := c.Inflate(payload, n)
		if err != nil || !bytes.Equal(got, message) {
			t.Errorf("%d bytes come back as %d: %v", n, len(got), err)
		}
	}
}

// TestWithoutContextTakeover compresses a message the same way each time, and as
// another implementation can read.
func TestWithoutContextTakeover(t *testing.T) {
	t.Parallel()
	c := deflate.NewCodec(1)
	message := chat(5000)
	first := compress(c, message)
	compress(c, chat(100_000))
	if second := compress(c, message); !bytes.Equal(first, second) {
		t.Errorf("compressed to %d bytes, then to %d", len(first), len(second))
	}
	stream := append(bytes.Clone(first), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)
	var got bytes.Buffer
	if _, err := got.ReadFrom(flate.NewReader(bytes.NewReader(stream))); err != nil || !bytes.Equal(got.Bytes(), message) {
		t.Errorf("compress/flate reads %d bytes: %v", got.Len(), err)
	}
}

// TestDoesNotShrink refuses what would be longer compressed.
func TestDoesNotShrink(t *testing.T) {
	t.Parallel()
	c := deflate.NewCodec(1)
	for _, n := range []int{0, 1, 10, 1000, 200_000} {
		message := make([]byte, n)
		rand.Read(message) // never fails
		if payload := compress(c, message); payload != nil {
			t.Errorf("%d random bytes are compressed to %d", n, len(payload))
		}
	}
	if payload := compress(c, chat(1000)); payload == nil {
		t.Error("what follows does not shrink either")
	}
}

// TestInflate holds inflating to RFC 7692, section 7.2, and its examples.
func TestInflate(t *testing.T) {
	t.Parallel()
	c := deflate.NewCodec(1)
	for name, test := range map[string]struct {
		payload, want string
		err           error
	}{
		"7.2.3.1 one block":                          {"\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello", nil},
		"7.2.3.2 a context that was not taken over":  {"\xf2\x00\x11\x00\x00", "", deflate.ErrCorrupt},
		"7.2.3.3 a stored block":                     {"\x00\x05\x00\xfa\xffHello\x00", "Hello", nil},
		"7.2.3.4 a final block":                      {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello", nil},
		"7.2.3.4 a final block, and more":            {"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00", "HelloHello", nil},
		"7.2.3.4 a final block, and a stored one":    {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x01\x00\xfe\xff!\x00", "Hello!", nil},
		"7.2.3.4 a final stored block":               {"\x01\x05\x00\xfa\xffHello\x00", "Hello", nil},
		"7.2.3.4 many final blocks":                  {strings.Repeat("\x03\x00", 1000) + "\x00", "", nil},
		"7.2.3.4 a final block without its zero":     {"\xf3\x48\xcd\xc9\xc9\x07\x00", "", deflate.ErrCorrupt},
		"7.2.3.4 a final block, and rubbish":         {"\xf3\x48\xcd\xc9\xc9\x07\x00\x06\x00", "", deflate.ErrCorrupt},
		"7.2.3.4 no window beyond a final block":     {"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00", "", deflate.ErrCorrupt},
		"7.2.3.5 two blocks":                         {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello", nil},
		"7.2.3.6 an empty message":                   {"\x00", "", nil},
		"7.2.2 what the sender ought to take off":    {"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", "", deflate.ErrCorrupt},
		"7.2.2 not a byte":                           {"", "", deflate.ErrCorrupt},
		"7.2.2 cut":                                  {"\xf2\x48\xcd", "", deflate.ErrCorrupt},
		"7.2.2 a stored block that is cut":           {"\x00\x20\x00\xdf\xffHello\x00", "", deflate.ErrCorrupt},
		"7.2.2 a stored block that ends in the tail": {"\x00\x09\x00\xf6\xffHello", "Hello\x00\x00\xff\xff", nil},
		"RFC 1951 a reserved block":                  {"\x06\x00", "", deflate.ErrCorrupt},
		"RFC 1951 a length and not its complement":   {"\x00\x05\x00\x05\x00Hello\x00", "", deflate.ErrCorrupt},
		"RFC 1951 codes that are no tree":            {"\x04\xff\xff\xff\xff\xff\xff\xff\xff", "", deflate.ErrCorrupt},
	} {
		got, err := c.Inflate([]byte(test.payload), 1<<20)
		if string(got) != test.want || err != test.err {
			t.Errorf("%s: got %q, %v, want %q, %v", name, got, err, test.want, test.err)
		}
	}
}

// TestInflateLimit takes a message as long as the limit, and none that is longer.
func TestInflateLimit(t *testing.T) {
	t.Parallel()
	c := deflate.NewCodec(1)
	for _, n := range []int{1000, 32<<10 - 1, 32 << 10, 32<<10 + 1, 100_000} {
		payload := compress(c, make([]byte, n))
		for _, limit := range []int{n / 2, n - 1} {
			if got, err := c.Inflate(payload, limit); err != deflate.ErrTooLarge || got != nil {
				t.Errorf("%d bytes under a limit of %d: %d bytes, %v", n, limit, len(got), err)
			}
		}
		for _, limit := range []int{n, n + 1, 1 << 20} {
			if got, err := c.Inflate(payload, limit); err != nil || len(got) != n || cap(got) > n+n/4 {
				t.Errorf("%d bytes under a limit of %d: %d bytes of %d, %v", n, limit, len(got), cap(got), err)
			}
		}
	}
	if _, err := c.Inflate([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"), 4); err != deflate.ErrTooLarge {
		t.Errorf("5 bytes under a limit of 4: %v", err)
	}
}

// TestInflateAllocates no more than the message, and nothing for one that is too
// long, however small its payload.
func TestInflateAllocates(t *testing.T) { // not parallel: it measures
	const limit, runs, slack = 1 << 20, 20, 4 << 10
	c := deflate.NewCodec(1)
	bomb, short := compress(c, make([]byte, 100<<20)), compress(c, chat(2000))
	large := compress(c, make([]byte, limit))
	for name, test := range map[string]struct {
		payload []byte
		most    uint64
		err     error
	}{
		"a bomb":        {bomb, slack, deflate.ErrTooLarge},
		"large":         {large, limit + slack, nil},
		"short":         {short, 2048 + slack, nil},
		"large and cut": {large[:len(large)/2], slack, deflate.ErrCorrupt},
	} {
		if _, err := c.Inflate(test.payload, limit); err != test.err { // which also makes the inflater
			t.Errorf("%s: %v", name, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			_, _ = c.Inflate(test.payload, limit) // as before
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / runs; got > test.most {
			t.Errorf("%s: %d bytes of %d are allocated, want at most %d", name, got, len(test.payload), test.most)
		}
	}
}

// TestCodecIsShared has more goroutines use a codec than it has room for.
func TestCodecIsShared(t *testing.T) {
	t.Parallel()
	c := deflate.NewCodec(2)
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			for n := 200 + i; n < 100_000; n *= 3 {
				message := chat(n)
				got, err := c.Inflate(compress(c, message), n)
				if err != nil || !bytes.Equal(got, message) {
					t.Errorf("%d bytes come back as %d: %v", n, len(got), err)
				}
			}
		})
	}
	group.Wait()
}
