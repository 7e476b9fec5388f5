package server

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Banner tells a person what listens where and how to stop it.
func (s *Server) Banner(version string) string {
	page, sockets := s.URL(), "ws"+strings.TrimPrefix(s.URL(), "http")
	var b strings.Builder
	fmt.Fprintf(&b, "Parley %s\n\n", version)
	row := func(name, value string) { fmt.Fprintf(&b, "  %-11s %s\n", name, value) }
	row("Page", page)
	row("Everyone", sockets+"ws/")
	row("One person", sockets+"ws/{username}/")
	row("Send", fmt.Sprintf(`curl --json '{"to":%q,"data":{"message":"Hello"}}' %sv1/send`, broadcast, page))
	row("Kept", s.Kept())
	if s.debugListener != nil {
		row("Debug", "http://"+reachable(s.debugListener.Addr())+"/debug/pprof/ and /debug/vars")
	}
	fmt.Fprintf(&b, "\n%s\nQuit with Ctrl-C.\n\n", s.admission())
	return b.String()
}

// Kept says whose messages are kept, and where.
func (s *Server) Kept() string {
	rules, _ := s.cfg.keepRules() // validated
	switch {
	case len(rules) == 0 && len(s.cfg.Keep) == 0:
		return "nothing: names are not proved, and --keep does not say so"
	case len(rules) == 0:
		return "nothing"
	}
	patterns := make([]string, len(rules))
	for i, rule := range rules {
		patterns[i] = rule.Pattern
	}
	return "messages to " + strings.Join(patterns, ", ") + ", in " + s.place()
}

func (s *Server) place() string {
	if s.stored {
		return s.cfg.Data
	}
	return "memory, as long as this server runs"
}

// admission says who can connect.
func (s *Server) admission() string {
	if !s.cfg.Open {
		return "For this machine only, and names are not proved: there is no authentication."
	}
	return "Open to other machines, and names are not proved: there is no authentication.\n" +
		"Whoever reaches " + s.Addr().String() + " can connect as anybody and send to anybody."
}

// URL returns the address of the demo page, as a browser on this machine
// reaches it, with a slash at the end.
func (s *Server) URL() string {
	scheme := "http"
	if s.cfg.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + reachable(s.Addr()) + "/"
}

// reachable returns the host and port to connect to, which for a listener on
// every interface is this machine.
func reachable(a net.Addr) string {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || !ap.Addr().IsUnspecified() {
		return a.String()
	}
	return fmt.Sprintf("localhost:%d", ap.Port())
}
