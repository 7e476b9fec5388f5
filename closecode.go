package parley

import "strconv"

// CloseCode is the code of a WebSocket close frame (RFC 6455, section 7.4).
// Codes of 4000 and above are Parley's own.
type CloseCode uint16

// The close codes that connections here end with.
const (
	CloseNormal          CloseCode = 1000
	CloseGoingAway       CloseCode = 1001
	CloseProtocolError   CloseCode = 1002
	CloseUnsupportedData CloseCode = 1003
	CloseNoStatus        CloseCode = 1005 // never sent: the peer's close frame had no code
	CloseAbnormal        CloseCode = 1006 // never sent: the connection was lost without a close frame
	CloseInvalidData     CloseCode = 1007
	ClosePolicyViolation CloseCode = 1008
	CloseTooLarge        CloseCode = 1009
	CloseInternalError   CloseCode = 1011
	CloseServiceRestart  CloseCode = 1012
	CloseTryAgainLater   CloseCode = 1013
	CloseNoProgress      CloseCode = 4000
	CloseTokenExpired    CloseCode = 4001
	CloseUnauthenticated CloseCode = 4002
	CloseKicked          CloseCode = 4003
	CloseReplaced        CloseCode = 4004
)

// closeCodes is the table that clients and documents are held to.
var closeCodes = map[CloseCode]struct {
	meaning   string
	reconnect bool
}{
	CloseNormal:          {"normal", false},
	CloseGoingAway:       {"going away", true},
	CloseProtocolError:   {"protocol error", false},
	CloseUnsupportedData: {"unsupported data", false},
	CloseNoStatus:        {"no status", true},
	CloseAbnormal:        {"connection lost", true},
	CloseInvalidData:     {"invalid data", false},
	ClosePolicyViolation: {"policy violation", false},
	CloseTooLarge:        {"message too large", false},
	CloseInternalError:   {"internal error", true},
	CloseServiceRestart:  {"service restart", true},
	CloseTryAgainLater:   {"try again later", true},
	CloseNoProgress:      {"no progress: the connection read too slowly", true},
	CloseTokenExpired:    {"token expired: fetch a new one, then reconnect", true},
	CloseUnauthenticated: {"unauthenticated", false},
	CloseKicked:          {"kicked or revoked", false},
	CloseReplaced:        {"replaced by another connection", false},
}

// Reconnect reports whether a client that sees the code should connect again
// by itself. It should for a code it does not know.
func (c CloseCode) Reconnect() bool {
	row, known := closeCodes[c]
	return !known || row.reconnect
}

// String returns the number and what it means.
func (c CloseCode) String() string {
	text := strconv.Itoa(int(c))
	if row, known := closeCodes[c]; known {
		text += " (" + row.meaning + ")"
	}
	return text
}
