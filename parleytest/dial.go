package parleytest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// Dial starts a server of its own for a handler, connects to the path, which may
// have a query, and returns once what the consumer's Connect asked for is done.
// Connections to one hub meet there, whichever server they came by. Nil options
// are the defaults.
func Dial(t testing.TB, handler http.Handler, path string, opts *Options) *Communicator {
	t.Helper()
	o := opts.withDefaults()
	url, dial := serve(t, handler, o)
	return connect(t, url+path, o, dial)
}

// DialURL is Dial for a server that runs already. The URL's scheme is ws, wss,
// http or https.
func DialURL(t testing.TB, url string, opts *Options) *Communicator {
	t.Helper()
	return connect(t, url, opts.withDefaults(), nil)
}

// Refusal is what a server answers instead of opening a connection.
type Refusal struct {
	Status int
	Header http.Header
	Body   string
}

// DialRefused is Dial for a handshake that the server is expected to refuse.
func DialRefused(t testing.TB, handler http.Handler, path string, opts *Options) Refusal {
	t.Helper()
	o := opts.withDefaults()
	url, dial := serve(t, handler, o)
	return refused(t, url+path, o, dial)
}

// DialURLRefused is DialURL for a handshake that the server is expected to
// refuse.
func DialURLRefused(t testing.TB, url string, opts *Options) Refusal {
	t.Helper()
	return refused(t, url, opts.withDefaults(), nil)
}

// dialFunc connects to a server; nil does it by TCP.
type dialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

func connect(t testing.TB, url string, opts Options, dial dialFunc) *Communicator {
	t.Helper()
	h, err := shakeHands(t, url, opts, dial)
	if err != nil {
		t.Fatalf("parleytest: connecting to %s: %v%s", url, err, h.refusal)
	}
	c := newCommunicator(t, opts, h.conn, h.reader)
	c.subprotocol, c.header = h.subprotocol, h.header
	c.roundTrip() // a server reads once all else is done
	return c
}

func refused(t testing.TB, url string, opts Options, dial dialFunc) Refusal {
	t.Helper()
	h, err := shakeHands(t, url, opts, dial)
	if err == nil {
		_ = h.conn.Close()
		t.Fatalf("parleytest: %s: the connection was accepted, expected a refusal", url)
	}
	if h.refusal == nil {
		t.Fatalf("parleytest: connecting to %s: %v, expected a refusal", url, err)
	}
	return *h.refusal
}

// handshake is what came of one: a connection, or a refusal, or neither.
type handshake struct {
	conn        net.Conn
	reader      *bufio.Reader
	subprotocol string
	header      http.Header
	refusal     *Refusal
}

func shakeHands(t testing.TB, url string, opts Options, dial dialFunc) (*handshake, error) {
	h := &handshake{header: http.Header{}}
	dialer := ws.Dialer{
		Timeout:   opts.Timeout,
		Protocols: opts.Subprotocols,
		Host:      opts.Header.Get("Host"),
		Header:    ws.HandshakeHeaderHTTP(without(opts.Header, "Host")),
		NetDial:   dial,
		TLSConfig: opts.TLS,
		OnHeader: func(key, value []byte) error {
			h.header.Add(string(key), string(value))
			return nil
		},
		OnStatusError: func(_ int, _ []byte, response io.Reader) { h.refusal = readRefusal(response) },
	}
	conn, r, agreed, err := dialer.Dial(t.Context(), webSocketURL(url))
	if err != nil {
		return h, err
	}
	if r == nil {
		r = bufio.NewReader(conn)
	}
	h.conn, h.reader, h.subprotocol = conn, r, agreed.Protocol
	return h, nil
}

// webSocketURL gives the URL of an HTTP server the scheme that is dialled.
func webSocketURL(url string) string {
	if rest, ok := strings.CutPrefix(url, "http"); ok {
		return "ws" + rest
	}
	return url
}

func without(h http.Header, key string) http.Header {
	h = h.Clone()
	h.Del(key)
	return h
}

// readRefusal returns nil for a response that cannot be read.
func readRefusal(r io.Reader) *Refusal {
	response, err := http.ReadResponse(bufio.NewReader(r), nil)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil
	}
	return &Refusal{response.StatusCode, response.Header, string(body)}
}

// String describes the refusal behind an error; none is "".
func (r *Refusal) String() string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf(", refused with %d %s: %s", r.Status, http.StatusText(r.Status), strings.TrimSpace(r.Body))
}
