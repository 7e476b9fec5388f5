package parley

import (
	"context"
	"iter"
	"math"
	"time"
)

// Layer carries messages between hubs, in one process or many, and keeps the
// logs of kept addresses (see [Keep]). [MemoryLayer] is the one for a single
// process that keeps nothing beyond it. Package layertest holds what every Layer
// promises as tests.
//
// Local.Deliver and the done of an append run functions of the program. Neither panics,
// but both may end their goroutine by [runtime.Goexit], so that only deferred calls run.
// A Layer treats that as the call's return. It leaves no lock held, and goes on behind
// the call, on another goroutine and in the same order. Every hub still gets each
// message once, and each done is called once.
type Layer interface {
	// Attach connects a hub to the layer until the Link is closed. What may
	// fail, a layer does before.
	Attach(Local) Link
}

// Link is one hub's end of a [Layer]. Its methods are safe for concurrent use.
// After Close they return ErrClosed.
type Link interface {
	// Send carries e, which is not kept, to every hub of the layer, this one
	// included, in the order of the calls of one goroutine. It may wait until
	// ctx ends.
	Send(ctx context.Context, e Envelope) error

	// Subscribe declares that this hub wants the messages of an address: it is
	// handed those that are sent after Subscribe returned, and of a log all that
	// is behind the place which Head returns then, also what was being appended
	// meanwhile. Subscriptions are counted: each needs one Unsubscribe. A layer may
	// hand over messages that nobody declared an interest in.
	Subscribe(ctx context.Context, to Address) error
	// Unsubscribe takes one Subscribe back. It does not wait.
	Unsubscribe(to Address)

	// Append adds e to the log of e.To. done is called once, with e's place
	// once e is safe, or with the reason why it is not known to be: then it may
	// be kept all the same. done is called on a goroutine of the layer, in the
	// order of the appends of one address, and before or after e is handed to
	// hubs; it must not block for long, nor call Append or Close. Append itself
	// waits for room until ctx ends, and no longer; where it returns an error, e
	// is not kept and done is not called. The messages that one goroutine
	// appends are kept in that order. Either way the error has the code
	// [TooLarge] where e is larger than all that is kept of its address,
	// [BadRequest] where e.Key is too long, and [Unavailable] where nothing can
	// be kept at present.
	//
	// Where e.Key is not empty and a message with the same Key was appended to
	// the address within the layer's window, e is not kept again: done gets the
	// place of the first one, or an error with the code [Conflict] where their
	// data differ.
	//
	// e is handed to every hub that subscribed, through Local.Deliver, once it
	// is safe and can be read.
	Append(ctx context.Context, e Envelope, done func(Sent, error)) error

	// Head returns the place of the newest message that is safe, or, of a log
	// without messages, one that the next message will follow. It is never the
	// zero Cursor. A place that Head, a page or an append told is never given to
	// another message in its epoch, whatever crashes, is trimmed or is forgotten.
	Head(ctx context.Context, of Address) (Cursor, error)
	// ReadAfter returns the messages behind a place, oldest first. Where the
	// log cannot go on from there (the place is of another epoch, beyond the
	// head, or messages behind it were trimmed), the page begins with the oldest
	// message and is Missed, also where there is none. The zero Cursor is the
	// log's beginning, and never Missed. A layer that does not know better may
	// call the place Missed of the last message that was trimmed.
	ReadAfter(ctx context.Context, of Address, after Cursor, limit PageLimit) (Page, error)
	// ReadBefore returns the newest messages before a place, oldest first;
	// before the zero Cursor, the newest of all. Missed is as for ReadAfter,
	// and the page then holds the newest of all.
	ReadBefore(ctx context.Context, of Address, before Cursor, limit PageLimit) (Page, error)

	// Cursors returns the named cursors of an address: [MaxCursors] at most, and the
	// one whose name is empty. One that was not moved for twice as long as messages
	// are kept is forgotten.
	Cursors(ctx context.Context, of Address) (map[string]Cursor, error)
	// Introduce sets a named cursor unless there is one, and returns once that is
	// safe, or the one that there is: unlike what Advance moves later, it is not lost
	// in a crash. Where it returns nil the address has the cursor. A layer that can save
	// no cursor at present may keep it in memory: a crash then takes all moves back, and
	// the device begins there again. It fails with the code [Unavailable] where Advance
	// would ignore the place, or the cursor cannot be kept. Where there are MaxCursors
	// others it fails with the code [Conflict]: a cursor that is forgotten would lose
	// what follows it.
	Introduce(ctx context.Context, of Address, name string, at Cursor) error
	// Advance moves a named cursor forward, never back, unless it was of
	// another epoch; one that stays where it is was moved all the same. A place
	// beyond the head or of another epoch is ignored, but not one of what was
	// trimmed. So is a new name beyond MaxCursors. Names are any text of at most 200 bytes. Advance does not wait, and
	// what was moved last may be lost in a crash.
	Advance(of Address, name string, to Cursor)

	// Members asks every hub for its members of an address.
	Members(ctx context.Context, of Address) iter.Seq2[Member, error]
	// Online reports whether any hub has a member of an address.
	Online(ctx context.Context, of Address) (bool, error)

	// Health returns nil while messages can be kept, or why they cannot.
	Health() error
	// Close ends the link, once done was called for all that was appended. The
	// hub is told nothing afterwards, but perhaps a message that is not kept and
	// that another hub was sending meanwhile. done and Deliver must not call it.
	Close() error
}

// MaxCursors is how many named cursors an address has at most, besides the one whose
// name is empty.
const MaxCursors = 64

// Local is what a [Layer] knows of a hub. Its methods are safe for concurrent
// use.
type Local interface {
	// Deliver hands e to the hub's own connections and listeners. A message
	// that is not kept waits for room until ctx ends. Kept ones, those with a
	// Cursor, are handed over one at a time for one address, in the order of
	// their places, and the call does not wait, nor call the layer: a hub that
	// has no room reads them from the log later, and so it does after a gap,
	// which Prev shows. While it and done run, others may read the address.
	Deliver(ctx context.Context, e Envelope) error
	// Reread says that there may be messages in the logs that no hub was handed:
	// those that were being appended when the layer failed, and turned out to be
	// kept. What is handed over afterwards is behind them. It does not wait.
	Reread()
	// Retention returns how much of an address's log is to be kept.
	Retention(of Address) Retention
	// Acknowledged returns the place up to which no receiver that is connected
	// here needs the log of an address any more: upTo at most, which is a place in
	// the log. It costs little, does not wait, and may be called with the layer's
	// locks held. See [Retention] for what a layer does with it.
	Acknowledged(of Address, upTo Cursor) Cursor
	// LocalMembers returns the hub's own members of an address.
	LocalMembers(ctx context.Context, of Address) ([]Member, error)
	// LocalOnline reports whether there is one.
	LocalOnline(of Address) bool
}

// Envelope is a message on its way. Its Cursor is zero unless it is kept.
type Envelope struct {
	Message
	Except ConnID // the one connection that does not get it; zero for none
	More   bool   // a hint: the sender's next message follows at once
	Key    string // to be appended once only, if not empty; at most 512 bytes, any bytes; not handed out again
	Prev   uint64 // of a kept message that is delivered: the Seq of the one before it in the log, or what stands for it
}

// Sent tells what became of a message that was sent to a kept address.
type Sent struct {
	Cursor Cursor    // its place in the log; zero where it was not kept
	Time   time.Time // when it was sent
}

// PageLimit bounds a page. At least one message is returned if there is any.
type PageLimit struct {
	Messages int // must be positive
	Bytes    int // of data; must be positive
}

// Page is a part of a log.
type Page struct {
	Messages []Envelope // oldest first
	Cursor   Cursor     // ReadAfter: where the next page follows; ReadBefore: the place of the first message, or the place asked for
	More     bool       // there are more in the direction that was read
	Missed   bool       // the log could not go on from the place asked for
	// Lost is how many messages between the place and the page are gone, and 0 where that
	// is unknown. It is for ReadAfter. Behind the zero Cursor it counts from the log's
	// base: its first message, or the furthest place of a cursor that is forgotten.
	Lost int64
}

// Retention says how much of a log is kept: messages beyond any of the bounds are
// trimmed, oldest first, in the background. No field is zero.
//
// Connected receivers have claims, see Local.Acknowledged. Messages does not trim
// behind them: a log then holds up to Bytes of data and [Retention.MostMessages].
// Past that the log of a user, an inbox, refuses: Append fails with the code
// [Unavailable], at once, and Bytes trims nothing behind a claim either. Any other log
// is trimmed. Age always trims.
type Retention struct {
	Messages int
	Bytes    int64 // of data
	Age      time.Duration
}

// claimedBytes is what a message of any size counts for where claims hold more than
// Retention.Messages.
const claimedBytes = 64

// CursorAge returns for how long a named cursor is remembered that is not moved: twice
// Age. So the messages behind it are gone before it is, and its device can be told.
func (r Retention) CursorAge() time.Duration { return 2 * min(r.Age, math.MaxInt64/2) }

// MostMessages returns how many messages a log holds at most for the claims on it:
// Messages, or one for each 64 of Bytes if that is more.
func (r Retention) MostMessages() int {
	return int(min(max(int64(r.Messages), r.Bytes/claimedBytes), math.MaxInt))
}

// IsInbox reports whether an address's log is a user's inbox, which refuses messages
// rather than lose what a connected device needs.
func (a Address) IsInbox() bool { return a.kind == kindUser }
