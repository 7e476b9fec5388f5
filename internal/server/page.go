package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

// pagePolicy lets the page load and connect to nothing but this server.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pageTypes are the media types that must not depend on the machine's tables.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// page serves the demo page from memory.
type page struct {
	files map[string]pageFile // by URL path
}

type pageFile struct {
	data      []byte
	mediaType string
	etag      string
}

// newPage reads all files. It panics where one cannot be read, since they are
// part of the program.
func newPage(files fs.FS) *page {
	p := &page{files: make(map[string]pageFile)}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err == nil {
			p.add(name, data)
		}
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("server: reading the page: %v", err))
	}
	p.files["/"] = p.files["/index.html"]
	return p
}

func (p *page) add(name string, data []byte) {
	ext := path.Ext(name)
	mediaType := pageTypes[ext]
	if mediaType == "" {
		mediaType = mime.TypeByExtension(ext)
	}
	sum := sha256.Sum256(data)
	p.files["/"+name] = pageFile{data, mediaType, `"` + hex.EncodeToString(sum[:12]) + `"`}
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, found := p.files[r.URL.Path]
	if !found {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "the page is only read", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", file.mediaType)
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // ask again, and be told 304
	h.Set("ETag", file.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.data))
}
