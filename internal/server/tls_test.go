package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/parleytest"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, roots := certificate(t)
	s := start(t, server.Config{TLSCert: cert, TLSKey: key})
	if !strings.HasPrefix(s.URL(), "https://127.0.0.1:") || !strings.Contains(s.Banner("v1"), "wss://127.0.0.1:") {
		t.Error(s.Banner("v1"))
	}
	c := parleytest.DialURL(t, s.url("/ws/"), &parleytest.Options{TLS: &tls.Config{RootCAs: roots}})
	c.Send("hello")
	if got := c.Receive(); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestTLSFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	cert, _, _ := certificate(t)
	cfg := server.Config{Addr: "127.0.0.1:0", TLSCert: cert, TLSKey: cert + ".missing"}
	_, err := server.New(cfg, nil, server.NewLogger(&buffer{}, cfg))
	if err == nil || !strings.HasPrefix(err.Error(), "--tls-cert and --tls-key: ") {
		t.Errorf("got the error %v", err)
	}
}

// certificate writes the pair of net/http/httptest to files.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	pair := lender.TLS.Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	return writePEM(t, "CERTIFICATE", pair.Certificate[0]), writePEM(t, "PRIVATE KEY", secret), roots
}

func writePEM(t *testing.T, kind string, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
