// Package ops is what the crash harness and its server say to each other: JSON
// objects, one a message.
package ops

import (
	"encoding/json"

	"github.com/parley-rt/parley"
)

// The values of Request.Op.
const (
	Hello  = "hello"  // identifies as a user; answered with Joined
	Join   = "join"   // joins a group; answered with Joined
	Send   = "send"   // answered with OK or Error once it is known
	Backup = "backup" // copies the data directory; answered as Send is
)

// Request is what a client asks.
type Request struct {
	Op string `json:"op"`
	ID uint64 `json:"id,omitzero"` // the answer repeats it

	User   string          `json:"user,omitzero"`   // of Hello
	To     parley.Address  `json:"to,omitzero"`     // of Join and Send
	After  parley.Cursor   `json:"after,omitzero"`  // of Hello and Join
	Device string          `json:"device,omitzero"` // of Hello
	Key    string          `json:"key,omitzero"`    // of Send
	Data   json.RawMessage `json:"data,omitzero"`   // of Send
	Dir    string          `json:"dir,omitzero"`    // of Backup
}

// Event is what the server says: an answer to a request, that a client joined, or
// a message.
type Event struct {
	ID    uint64        `json:"id,omitzero"`
	OK    *Accepted     `json:"ok,omitzero"`
	Error *parley.Error `json:"error,omitzero"`

	Joined *Joined `json:"joined,omitzero"`

	To     parley.Address  `json:"to,omitzero"`
	Cursor parley.Cursor   `json:"cursor,omitzero"`
	Data   json.RawMessage `json:"data,omitzero"`
}

// Accepted answers a Send.
type Accepted struct {
	Cursor parley.Cursor `json:"cursor,omitzero"`
}

// Joined tells that the client became a member of an address.
type Joined struct {
	To     parley.Address `json:"to"`
	At     parley.Cursor  `json:"at"`
	Missed bool           `json:"missed,omitzero"`
}
