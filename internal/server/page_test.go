package server_test

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/parley-rt/parley/internal/server"
	"github.com/parley-rt/parley/web"
)

// TestPageFiles gets each file of the page as a browser is to see it.
func TestPageFiles(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	names, err := fs.Glob(web.Files, "*")
	if err != nil || len(names) < 3 {
		t.Fatalf("the page has the files %q: %v", names, err)
	}
	for _, name := range names {
		want, err := fs.ReadFile(web.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		got := s.get("/" + name)
		if got.status != http.StatusOK || got.body != string(want) {
			t.Errorf("%s: status %d, %d bytes", name, got.status, len(got.body))
		}
		if kind := got.header.Get("Content-Type"); kind != types[path.Ext(name)] {
			t.Errorf("%s: Content-Type %q", name, kind)
		}
		wantPageHeaders(t, got)
	}
	if index := s.get("/index.html"); s.get("/").body != index.body {
		t.Error("/ is not index.html")
	}
}

func wantPageHeaders(t *testing.T, got response) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	policy := got.header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the Content-Security-Policy %q lacks %s", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the Content-Security-Policy is lax: %q", policy)
	}
}

func TestPageIsRevalidated(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	tag := s.get("/").header.Get("ETag")
	if tag == "" || tag == s.get("/style.css").header.Get("ETag") {
		t.Errorf("the ETag is %q", tag)
	}
	again := s.do(http.MethodGet, s.url("/"), "", map[string]string{"If-None-Match": tag})
	if again.status != http.StatusNotModified || again.body != "" {
		t.Errorf("%+v", again)
	}
}

func TestPageMethodsAndPaths(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	if got := s.do(http.MethodHead, s.url("/"), "", nil); got.status != http.StatusOK || got.body != "" {
		t.Errorf("%+v", got)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		got := s.do(method, s.url("/"), "", nil)
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %+v", method, got)
		}
	}
	for _, path := range []string{"/nothing", "/web.go", "/index.html/", "/a/b", "/favicon.ico", "/style.css/x", "/%2e%2e/go.mod"} {
		if got := s.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
