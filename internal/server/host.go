package server

import (
	"net"
	"net/http"
	"strings"

	"github.com/parley-rt/parley"
)

// localOnly refuses requests whose Host header is not this machine's. Without
// it, a page of another site could have its own name resolve to 127.0.0.1 and
// then be of the same origin as this server (DNS rebinding).
func (s *Server) localOnly(next http.Handler) http.Handler {
	if s.cfg.Open {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocalHost(r.Host) {
			writeProblem(w, http.StatusForbidden, parley.Forbidden,
				"the Host header must be localhost, 127.0.0.1 or [::1]: this server is for its own machine, unless it is started with --open")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocalHost reports whether a Host header, with any port or none, names this
// machine without asking the DNS.
func isLocalHost(header string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil { // no port
		host = header
		if inner, ok := strings.CutPrefix(host, "["); ok {
			host = strings.TrimSuffix(inner, "]")
		}
	}
	return isLoopback(host)
}
