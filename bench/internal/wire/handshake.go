package wire

import (
	"bytes"
	"errors"
	"fmt"
)

// One key serves every connection: the answer to it is then known and can be compared without hashing.
const (
	key    = "cGFybGV5LWJlbmNoLWtleQ=="
	accept = "s62GE7EIJSbR1qmRrdYpNosk+lQ="
)

// maxResponse bounds what a server may answer before the upgrade is complete.
const maxResponse = 8 << 10

var errAccept = errors.New("upgrade answered without the expected Sec-WebSocket-Accept")

// AppendRequest appends an opening handshake (RFC 6455 section 4.1) to dst.
func AppendRequest(dst []byte, host, path string) []byte {
	return fmt.Appendf(dst, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", path, host, key)
}

// ParseResponse checks the server's answer and says how many bytes it took; none when b does not hold all of it yet.
func ParseResponse(b []byte) (int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxResponse {
			return 0, errors.New("upgrade answered without an end of its header")
		}
		return 0, nil
	}
	status, _, _ := bytes.Cut(b[:end], []byte("\r\n"))
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 101")) {
		return 0, fmt.Errorf("upgrade refused: %q", status)
	}
	if !bytes.Contains(b[:end], []byte(accept)) {
		return 0, errAccept
	}
	return end + 4, nil
}
