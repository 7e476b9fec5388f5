package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Check returns an error that names each flag whose value cannot be used.
func (c Config) Check() error {
	c = c.withDefaults()
	return errors.Join(
		c.checkAddr(),
		c.checkDebugAddr(),
		c.checkTLS(),
		c.checkOrigins(),
		c.checkNumbers(),
		c.Storage.check(),
		oneOf("--slow-reader", c.SlowReader, "close", "drop"),
		oneOf("--log-format", c.LogFormat, "auto", "text", "json"),
	)
}

func (c *Config) checkAddr() error {
	host, err := splitAddr("--addr", c.Addr)
	if err != nil || c.Open || isLoopback(host) {
		return err
	}
	return fmt.Errorf("--addr: other machines can reach %s, and nothing proves who connects; --open allows that", c.Addr)
}

func (c *Config) checkDebugAddr() error {
	if c.DebugAddr == "" {
		return nil
	}
	host, err := splitAddr("--debug-addr", c.DebugAddr)
	if err != nil || c.Open || isLoopback(host) {
		return err
	}
	return fmt.Errorf("--debug-addr: other machines can reach %s; --open allows that", c.DebugAddr)
}

func (c *Config) checkTLS() error {
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		return errors.New("--tls-key: missing, as --tls-cert is given")
	case c.TLSCert == "" && c.TLSKey != "":
		return errors.New("--tls-cert: missing, as --tls-key is given")
	}
	return nil
}

func (c *Config) checkOrigins() error {
	for _, origin := range c.Origins {
		_, host, found := strings.Cut(origin, "://")
		if !found {
			host = origin
		}
		if host == "" || strings.ContainsAny(host, "/?#@ ") {
			return fmt.Errorf("--origin: %q is not an origin such as https://example.com", origin)
		}
	}
	return nil
}

func (c *Config) checkNumbers() error {
	var errs []error
	for _, n := range []struct {
		flag  string
		value int64
	}{
		{"--loops", int64(c.Loops)},
		{"--max-connections", int64(c.MaxConnections)},
		{"--message-bytes", int64(c.MessageBytes)},
		{"--unfinished-bytes", c.UnfinishedBytes},
		{"--receive-queue", int64(c.ReceiveQueue)},
		{"--send-queue-bytes", int64(c.SendQueueBytes)},
		{"--mailbox-bytes", int64(c.MailboxBytes)},
		{"--handshake-timeout", int64(c.HandshakeTimeout)},
		{"--write-timeout", int64(c.WriteTimeout)},
		{"--receive-grace", int64(c.ReceiveGrace)},
		{"--receive-rate", int64(c.ReceiveRate)},
		{"--close-timeout", int64(c.CloseTimeout)},
		{"--ping-interval", int64(c.PingInterval)},
		{"--claim-timeout", int64(c.ClaimTimeout)},
		{"--shutdown-timeout", int64(c.ShutdownTimeout)},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("%s: must not be negative", n.flag))
		}
	}
	return errors.Join(errs...)
}

func oneOf(flag, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a || value == "" {
			return nil
		}
	}
	return fmt.Errorf("%s: must be one of %s, not %q", flag, strings.Join(allowed, ", "), value)
}

func splitAddr(flag, addr string) (host string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("%s: %q is not HOST:PORT", flag, addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%s: %q is not a port number", flag, port)
	}
	return host, nil
}

// isLoopback reports whether only this machine can reach a host.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
