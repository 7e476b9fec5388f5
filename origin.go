package parley

import (
	"net/http"
	"net/url"
	"strings"
)

// originAllowed holds the Origin of a handshake against the request's own host
// and Options.Origins (RFC 6455, section 10.2).
func (h *Hub) originAllowed(r *http.Request) bool {
	origin := strings.ToLower(r.Header.Get("Origin"))
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && sameHost(u, strings.ToLower(r.Host)) {
		return true
	}
	for _, pattern := range h.opts.Origins {
		text := origin
		if !strings.Contains(pattern, "://") && pattern != "*" {
			if err != nil {
				continue
			}
			text = u.Host
		}
		if matchWildcard(strings.ToLower(pattern), text) {
			return true
		}
	}
	return false
}

// sameHost compares a page's host and port with a request's Host header, which
// may leave out the default port of the page's scheme.
func sameHost(page *url.URL, host string) bool {
	if page.Host == host {
		return true
	}
	port := map[string]string{"http": ":80", "https": ":443"}[page.Scheme]
	return port != "" && strings.TrimSuffix(page.Host, port) == strings.TrimSuffix(host, port)
}

// matchWildcard matches text against a pattern in which each * stands for any
// characters. It takes time linear in the text for each *.
func matchWildcard(pattern, text string) bool {
	return matchParts(strings.Split(pattern, "*"), text)
}

// matchParts is matchWildcard with a pattern that is split at each *.
func matchParts(parts []string, text string) bool {
	if len(parts) == 1 {
		return parts[0] == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		if _, text, ok = strings.Cut(text, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, parts[last])
}
