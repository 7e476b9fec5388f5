package parley

import (
	"bufio"
	"bytes"
	"crypto/sha1" // RFC 6455, section 4.2.2
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// handshakeGUID is appended to a client's key (RFC 6455, section 4.2.2).
const handshakeGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// handler upgrades requests to connections with one kind of consumer.
type handler struct {
	hub          *Hub
	factory      func() Consumer
	plain        *proto
	compressed   *proto // nil without Options.Compression
	subprotocols []string
}

// Handler returns an [http.Handler] that upgrades requests to WebSocket
// connections, each with a Consumer of its own made by factory; Handler calls it
// once itself, to learn what the consumers implement. Of the subprotocols that a
// client offers, the first one listed here is agreed on. Handler panics on one that
// is no token (RFC 9110, section 5.6.2): no client can offer it.
//
// A request that is not a WebSocket handshake gets 426, a malformed one 400
// (RFC 6455, section 4.2.1), one of a foreign Origin 403 ([Options.Origins]),
// and any after [Hub.Close] 503. Response headers that middleware set before are
// sent with the upgrade.
func (h *Hub) Handler(factory func() Consumer, subprotocols ...string) http.Handler {
	for _, name := range subprotocols {
		if !isToken(name) {
			panic(fmt.Sprintf("parley: subprotocol %q can never match: use letters, digits and %s", name, tokenMarks))
		}
	}
	plain := newProto(factory())
	return &handler{
		hub: h, factory: factory, subprotocols: subprotocols,
		plain: plain, compressed: plain.compressing(h.codec),
	}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, problem := checkHandshake(r); status != 0 {
		if r.ProtoMajor == 1 { // RFC 9113, section 8.2.2
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
		}
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, problem, status)
		return
	}
	if !h.hub.originAllowed(r) {
		http.Error(w, "the Origin "+r.Header.Get("Origin")+" may not connect", http.StatusForbidden)
		return
	}
	if !h.hub.live.enter() {
		http.Error(w, "the server is shutting down", http.StatusServiceUnavailable)
		return
	}
	h.serve(w, r)
}

// checkHandshake returns the status and the problem of a request that is not an
// opening handshake (RFC 6455, section 4.2.1), or 0.
func checkHandshake(r *http.Request) (status int, problem string) {
	switch {
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return http.StatusUpgradeRequired, "this is a WebSocket endpoint (RFC 6455)"
	case r.Method != http.MethodGet:
		return http.StatusBadRequest, "a WebSocket handshake is a GET request"
	case !r.ProtoAtLeast(1, 1):
		return http.StatusBadRequest, "a WebSocket handshake is HTTP/1.1"
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return http.StatusUpgradeRequired, "only WebSocket version 13 is spoken"
	}
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	if err != nil || len(key) != 16 || len(r.Header["Sec-Websocket-Key"]) != 1 {
		return http.StatusBadRequest, "Sec-WebSocket-Key is not 16 bytes in base64"
	}
	return 0, ""
}

// tokenMarks are what a token may hold besides letters and digits.
const tokenMarks = "!#$%&'*+-.^_`|~"

// isToken reports whether a name can be an item of a header that is a list (RFC 9110,
// section 5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		b := name[i]
		letter, digit := 'a' <= b|0x20 && b|0x20 <= 'z', '0' <= b && b <= '9'
		if !letter && !digit && strings.IndexByte(tokenMarks, b) < 0 {
			return false
		}
	}
	return name != ""
}

// hasToken reports whether a header that is a list holds a token.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// chooseSubprotocol returns the place of the first of the client's offers that is
// spoken here, -1 for none; it offers them in the order of its preference (RFC 6455,
// section 4.1).
func chooseSubprotocol(r *http.Request, spoken []string) int {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for part := range strings.SplitSeq(line, ",") {
			if i := slices.Index(spoken, strings.TrimSpace(part)); i >= 0 {
				return i
			}
		}
	}
	return -1
}

// takeOver takes the connection from net/http. early is what the client sent
// right behind the handshake.
func takeOver(w http.ResponseWriter) (nc net.Conn, early []byte, err error) {
	nc, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "this server cannot upgrade the connection", http.StatusInternalServerError)
		return nil, nil, fmt.Errorf("taking the connection: %w", err)
	}
	early, err = peekBuffered(buffered.Reader)
	if err == nil {
		err = nc.SetDeadline(time.Time{}) // net/http's
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("taking the connection: %w", err), nc.Close())
	}
	return nc, early, nil
}

// peekBuffered copies what was read already, so that the reader can be freed.
func peekBuffered(r *bufio.Reader) ([]byte, error) {
	if r.Buffered() == 0 {
		return nil, nil
	}
	b, err := r.Peek(r.Buffered())
	return slices.Clone(b), err
}

// upgradeResponse returns the answer to a handshake (RFC 6455, section 4.2.2)
// with the headers that middleware set. "" is no subprotocol, and no extension.
func upgradeResponse(set http.Header, key, subprotocol, extensions string) []byte {
	sum := sha1.Sum([]byte(key + handshakeGUID))
	header := set.Clone()
	header.Set("Upgrade", "websocket")
	header.Set("Connection", "Upgrade")
	header.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	for name, agreed := range map[string]string{"Sec-WebSocket-Protocol": subprotocol, "Sec-WebSocket-Extensions": extensions} {
		header.Del(name)
		if agreed != "" {
			header.Set(name, agreed)
		}
	}
	var response bytes.Buffer // writing to it does not fail
	response.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = header.Write(&response)
	response.WriteString("\r\n")
	return response.Bytes()
}
