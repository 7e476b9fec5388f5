package server

import (
	"encoding/json"
	"net/http"

	"github.com/parley-rt/parley"
)

// problem is an error of the HTTP interface (RFC 9457). Its type is about:blank:
// the code says what went wrong.
type problem struct {
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Code   parley.Code `json:"code"`
}

func writeProblem(w http.ResponseWriter, status int, code parley.Code, detail string) {
	writeJSON(w, status, "application/problem+json", problem{http.StatusText(status), status, detail, code})
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // the client is gone, or gets it
}

func unknownEndpoint(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, http.StatusNotFound, parley.NotFound, "there is no such endpoint")
}

// protectOrigin refuses what pages of other sites have browsers post.
func protectOrigin(next http.Handler) http.Handler {
	p := http.NewCrossOriginProtection()
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusForbidden, parley.Forbidden, "pages of other origins may not send")
	}))
	return p.Handler(next)
}
