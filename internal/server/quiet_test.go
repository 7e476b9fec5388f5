package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestQuiet logs a thousand lines of one text: some appear, and later one says how many
// did not. Another text is not affected, and long values are cut.
func TestQuiet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &bytes.Buffer{}
		log := NewLogger(out, Config{LogFormat: "text"})
		for range 1000 {
			log.With("conn", "1").Error("failed", "err", errors.New(strings.Repeat("x", 1<<20)))
		}
		log.Warn("other")
		if n := strings.Count(out.String(), "failed"); n != quietLines {
			t.Errorf("%d of 1,000 lines were logged", n)
		}
		if out.Len() > 2*quietLines*loggedBytes || !strings.Contains(out.String(), "other") {
			t.Errorf("%d bytes were logged", out.Len())
		}
		time.Sleep(quietTime)
		log.Error("failed")
		if !strings.Contains(out.String(), "left_out=990") {
			t.Error("the lines that were left out are not counted")
		}
		if n := leftOut(log); n != 990 {
			t.Errorf("%d lines were left out", n)
		}
	})
}

// TestQuietHandshakes has a stranger fail a hundred TLS handshakes.
func TestQuietHandshakes(t *testing.T) {
	t.Parallel()
	out := &bytes.Buffer{}
	log := NewLogger(out, Config{LogFormat: "json"})
	errors := (&Server{log: log}).newHTTP(nil).ErrorLog
	for port := range 100 {
		errors.Printf("http: TLS handshake error from 192.0.2.1:%d: %v", port, tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"})
	}
	if n := strings.Count(out.String(), "handshake error"); n != quietLines {
		t.Errorf("%d lines were logged", n)
	}
}
