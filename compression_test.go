package parley_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/parley-rt/parley"
)

// agreement is the answer to most offers of permessage-deflate.
const agreement = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// TestCompressionHandshake agrees on compression where it is on and offered, and
// only then; TestNegotiate of internal/deflate has the offers.
func TestCompressionHandshake(t *testing.T) {
	t.Parallel()
	const browser = "permessage-deflate; client_max_window_bits"
	for _, c := range []struct {
		on          bool
		offer, want string
	}{
		{false, browser, ""},
		{true, "", ""},
		{true, browser, agreement},
		{true, "permessage-deflate; server_max_window_bits=10", ""},
		{true, "permessage-deflate; server_max_window_bits=10\r\nSec-WebSocket-Extensions: " + browser, agreement},
		{true, "permessage-deflate, malformed;", ""},
	} {
		handler := newHub(t, &parley.Options{Compression: c.on}).Handler(newEcho)
		s := serve(t, "tcp", nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Sec-WebSocket-Extensions", "set by middleware")
			handler.ServeHTTP(w, r)
		}))
		s.deflates = c.want != ""
		w := s.connect(t)
		w.send(request(map[string]string{"Sec-WebSocket-Extensions": c.offer}))
		if got := strings.Join(w.accepted().Values("Sec-WebSocket-Extensions"), " | "); got != c.want {
			t.Errorf("on %v: %q is answered by %q, want %q", c.on, c.offer, got, c.want)
		}
		long, prefix := long(1000), ""
		if s.deflates {
			prefix = "compressed "
		}
		w.send(text(long))
		w.expect(prefix + inWords(opText, []byte(long)))
		if !s.deflates {
			w.send(frame(fin|rsv1|opText, hello))
			w.expect("close 1002")
		}
	}
}

// TestCompressionOnce compresses and encodes a message once for all connections
// of one handler, of which some compress and some do not.
func TestCompressionOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var encoded atomic.Int32
		hub := newHub(t, &parley.Options{Compression: true, Logger: textLogger(&log)})
		speaks := hub.Handler(func() parley.Consumer { return consumer{connect: joinEveryone} })
		shouts := hub.Handler(func() parley.Consumer { return shouter{consumer{connect: joinEveryone}, &encoded} })
		spoken, shouted := parley.CountCompressions(speaks), parley.CountCompressions(shouts)
		members := map[string][]*wire{}
		for range 5 {
			quiet, _ := pipe(t, speaks)
			loud, _ := pipe(t, shouts)
			members["quiet"] = append(members["quiet"], quiet)
			members["loud"] = append(members["loud"], loud)
			members["compressed quiet"] = append(members["compressed quiet"], pipeDeflate(t, speaks))
			members["compressed loud"] = append(members["compressed loud"], pipeDeflate(t, shouts))
		}
		synctest.Wait()
		const messages = 3
		for i := range messages {
			m := fmt.Sprint(i, long(1000))
			if err := hub.Send(t.Context(), parley.Everyone, parley.Text(m)); err != nil {
				t.Fatal(err)
			}
			for kind, wires := range members {
				want := inWords(opText, []byte(m))
				if strings.HasSuffix(kind, "loud") {
					want = inWords(opText, []byte(strings.ToUpper(m)))
				}
				if strings.HasPrefix(kind, "compressed") {
					want = "compressed " + want
				}
				for _, w := range wires {
					w.expect(want)
				}
			}
		}
		if a, b, c := spoken.Load(), shouted.Load(), encoded.Load(); a != messages || b != messages || c != messages {
			t.Errorf("%d messages were compressed %d and %d times, and encoded %d times", messages, a, b, c)
		}
		if err := hub.Send(t.Context(), parley.Everyone, parley.Text("error")); err != nil {
			t.Fatal(err)
		}
		members["quiet"][0].expect(`text "error"`)
		if n := strings.Count(log.String(), "not encoded"); n != 1 {
			t.Errorf("a failure was logged %d times: %s", n, log.String())
		}
	})
}

// TestCompressionQueue counts what waits for a consumer as it arrived.
func TestCompressionQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const total, size = 50, 1000
		goOn, received := make(chan bool), make(chan int, total)
		receive := func(_ *parley.Conn, m parley.Message) error {
			<-goOn
			received <- len(m.Data)
			return nil
		}
		hub := newHub(t, &parley.Options{Compression: true, Limits: parley.Limits{MessageBytes: size}})
		w := pipeDeflate(t, hub.Handler(func() parley.Consumer { return consumer{receive: receive} }))
		payload := deflated(strings.Repeat("a", size))
		if total*len(payload) >= size {
			t.Fatalf("%d messages of %d bytes are too many", total, len(payload))
		}
		for range total {
			w.send(frame(fin|rsv1|opText, payload)) // which a pipe does not take once the queue is full
		}
		close(goOn)
		for range total {
			if got := <-received; got != size {
				t.Fatalf("received %d bytes, want %d", got, size)
			}
		}
	})
}

// TestCompressionReplies compresses what consumers reply, Deliverers too.
func TestCompressionReplies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hub := newHub(t, &parley.Options{Compression: true})
		handler := hub.Handler(func() parley.Consumer { return passer{consumer{connect: joinEveryone}} })
		plain, _ := pipe(t, handler)
		compressed := pipeDeflate(t, handler)
		synctest.Wait()
		for _, m := range []string{long(1000), "short"} {
			if err := hub.Send(t.Context(), parley.Everyone, parley.Text(m)); err != nil {
				t.Fatal(err)
			}
		}
		in := inWords(opText, []byte(long(1000)))
		plain.expect(in, `text "short"`)
		compressed.expect("compressed "+in, `text "short"`)
	})
}

// passer is a Deliverer that passes everything on.
type passer struct{ consumer }

func (passer) Deliver(c *parley.Conn, m parley.Message) error { return c.Reply(m) }

// TestCompressionFailure does not give a consumer what cannot be inflated, and
// tells it how the connection ended.
func TestCompressionFailure(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]parley.CloseCode{
		"\xff":                                  parley.CloseInvalidData,
		deflated("\xff"):                        parley.CloseInvalidData,
		deflated(strings.Repeat("a", 1<<20+1)):  parley.CloseTooLarge,
		deflated(strings.Repeat("a", 10<<20+1)): parley.CloseTooLarge,
	} {
		received, ended := make(chan string, 1), make(chan parley.CloseCode, 1)
		s := newSite(t, "tcp", newHub(t, &parley.Options{Compression: true}), func() parley.Consumer {
			return consumer{
				receive:    func(_ *parley.Conn, m parley.Message) error { received <- string(m.Data); return nil },
				disconnect: func(_ *parley.Conn, code parley.CloseCode) { ended <- code },
			}
		})
		s.deflates = true
		w := s.open(t)
		w.send(frame(fin|rsv1|opText, payload))
		w.expect(fmt.Sprintf("close %d", want))
		w.send(closing(uint16(want), ""))
		w.expect("eof")
		if got := await(t, ended, "Disconnect"); got != want {
			t.Errorf("Disconnect heard of %v, want %v", got, want)
		}
		select {
		case got := <-received:
			t.Errorf("received %.20q", got)
		default:
		}
	}
}
