package socket

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// tlsPipe opens a TLS connection whose peer reads only when the test does.
func tlsPipe(t *testing.T, e *Engine, cfg *tls.Config) (*Conn, *recorder, *tls.Conn) {
	t.Helper()
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	outer, peer := tls.Server(server, cfg), tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- outer.Handshake() }()
	check(t, peer.Handshake())
	if cfg.SessionTicketsDisabled {
		check(t, <-shaken)
	}
	h := newRecorder()
	return open(t, e, outer, h), h, peer
}

// TestGoodbyeOfTLS ends TLS connections whose peers do not read: that costs the end of the
// engine a short time.
func TestGoodbyeOfTLS(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	srv.Close()
	cfg := &tls.Config{Certificates: srv.TLS.Certificates, SessionTicketsDisabled: true}
	for name, begin := range map[string]func(t *testing.T, peer *tls.Conn){
		"open": func(*testing.T, *tls.Conn) {},
		"after a breach": func(t *testing.T, peer *tls.Conn) {
			send(t, peer, bytes.Repeat([]byte{0xff}, 20))
			f, err := readFrame(peer)
			check(t, err)
			if f.Header.OpCode != ws.OpClose {
				t.Errorf("got %v, want a close frame", f.Header)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := NewEngine(testConfig())
			c, _, peer := tlsPipe(t, e, cfg)
			check(t, c.Start(nil))
			begin(t, peer)
			untilTrue(t, "all is written", func() bool { return c.out.Load() == nil })
			began, ended := time.Now(), make(chan struct{})
			go func() { defer close(ended); e.Close() }()
			await(t, ended, "Close")
			if after := time.Since(began); after > 5*goodbyeTime {
				t.Errorf("the end of the engine took %v, want %v", after, goodbyeTime)
			}
		})
	}
}
