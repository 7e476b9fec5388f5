package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/parley-rt/parley"
	"github.com/parley-rt/parley/web"
)

// routes returns the handler of everything at --addr.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", newPage(web.Files))
	mux.Handle("/v1/", http.HandlerFunc(unknownEndpoint))
	mux.Handle("/v1/send", protectOrigin(s.unlessDraining(newSendEndpoint(s.hub, s.log, s.cfg.MessageBytes))))
	mux.HandleFunc("GET /healthz", s.whileHealthy(healthy))
	mux.HandleFunc("GET /readyz", s.whileHealthy(s.readiness))
	return s.localOnly(s.classicRoutes(mux))
}

// classicRoutes serves /ws and /ws/{username}, each with or without a slash at
// the end, and leaves other paths to next. It reads the path as it was sent:
// a ServeMux would take %2F and %2E%2E for what they stand for and redirect,
// and WebSocket clients don't follow redirects.
func (s *Server) classicRoutes(next http.Handler) http.Handler {
	slots := newSlots(s.cfg.MaxConnections)
	toAll := s.hub.Handler(func() parley.Consumer { return everyone{slots: slots} })
	toOne := s.hub.Handler(func() parley.Consumer { return &person{slots: slots, log: s.log} })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, found := strings.CutPrefix(r.URL.EscapedPath(), "/ws")
		if !found || rest != "" && rest[0] != '/' {
			next.ServeHTTP(w, r)
			return
		}
		if rest == "" || rest == "/" {
			toAll.ServeHTTP(w, r)
			return
		}
		name, ok := username(rest[1:])
		if !ok {
			http.NotFound(w, r)
			return
		}
		r.SetPathValue("username", name)
		toOne.ServeHTTP(w, r)
	})
}

// username decodes what follows /ws/ in a path: one segment.
func username(escaped string) (name string, ok bool) {
	segment := strings.TrimSuffix(escaped, "/")
	if segment == "" || strings.Contains(segment, "/") {
		return "", false
	}
	name, err := url.PathUnescape(segment)
	return name, err == nil
}

func healthy(w http.ResponseWriter, _ *http.Request) { writePlain(w, http.StatusOK, "ok") }

// readiness tells load balancers whether to send more connections.
func (s *Server) readiness(w http.ResponseWriter, _ *http.Request) {
	if s.draining.Load() {
		writePlain(w, http.StatusServiceUnavailable, "draining")
		return
	}
	writePlain(w, http.StatusOK, "ready")
}

// unlessDraining refuses what would be sent to connections that are closing.
func (s *Server) unlessDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			writeProblem(w, http.StatusServiceUnavailable, parley.Unavailable, shuttingDown)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func writePlain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client is gone, or gets it
}
