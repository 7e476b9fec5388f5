package parley

import (
	"log/slog"
	"runtime"
	"time"

	"github.com/parley-rt/parley/internal/socket"
)

// Options configure a [Hub]. The zero value of every field means its default.
type Options struct {
	// Layer carries messages to other hubs. Default: a memory layer that no
	// other hub shares.
	Layer Layer

	// Keep says which addresses' messages are kept, and how much of them; the
	// first rule that matches an address is the one that counts. Default, where it
	// is nil: user:*, every user's messages. None are kept where it is empty.
	Keep []KeepRule

	// Origins lists the pages, besides those of the request's own host, whose
	// scripts may connect. Each is an origin ("https://example.com") or a host,
	// where "*" stands for any characters: "https://*.example.com",
	// "http://localhost:*". A request without an Origin is no browser's and
	// always allowed. "*" alone turns the check off.
	Origins []string

	// SlowReader says what becomes of a connection that reads too slowly.
	SlowReader SlowReader

	// Compression accepts permessage-deflate (RFC 7692), without context
	// takeover, where clients offer it. A message of 256 bytes or more is then
	// compressed, once for all its receivers, if that makes it shorter. It costs
	// processor time for each message, and its length can betray what a secret
	// in it has in common with text that an attacker chose (CRIME).
	Compression bool

	// ShutdownCode is what [Hub.Close] closes connections with: CloseGoingAway
	// (default) or CloseServiceRestart.
	ShutdownCode CloseCode

	// Loops is how many event loops share the connections. Default: GOMAXPROCS.
	Loops int

	// Limits bound what clients can make the hub hold.
	Limits Limits

	// Logger gets panics and errors of consumers. Default: [slog.Default].
	Logger *slog.Logger
}

// SlowReader says what becomes of a connection for which more than
// [Limits.SendQueueBytes] wait. Either way it is counted; see [Hub.Stats]. Kept
// messages are neither dropped nor a reason to close it, nor are a [Deliverer]'s replies to
// them: they fill half of that, or are one message of any size, and the rest is read from
// the log as the connection takes them.
type SlowReader uint8

const (
	// CloseSlow closes it with CloseNoProgress.
	CloseSlow SlowReader = iota
	// DropSlow drops the messages that do not fit, and keeps the connection as long
	// as it reads at all: see [Limits.WriteTimeout]. While kept messages wait, no more
	// than SendQueueBytes of what is sent to other addresses of the connection go
	// before them; the rest is dropped.
	DropSlow
)

// Limits bound what clients can make a hub hold and wait for. The zero value of
// every field means its default.
//
// A client shows life by anything it sends, and by taking bytes that waited for it: a ping
// waits behind those. On Linux the system is asked how many its own buffers still hold for
// the client. Bytes in the client's receive buffer count as taken already. The system
// cannot be asked about wrapped connections, nor on other systems: there each 16 KiB
// written of more that waits is a sign of life.
type Limits struct {
	MessageBytes    int // payload of one message received, compressed or not; beyond it, close code 1009. Default 1 MiB
	ReceiveQueue    int // messages waiting for a consumer, or MessageBytes of them, before its connection is not read; checked after each read of up to 32 KiB. Default 256
	SendQueueBytes  int // bytes waiting for a connection that reads too slowly, in the hands of its Deliverer too, each piece costing 64 besides. Default 1 MiB
	DeliverQueue    int // messages waiting for a Deliverer, of kept ones half as many; beyond it, SlowReader applies. Default 256
	MailboxBytes    int // bytes that senders hand to one event loop before they wait for it, each message costing 256 besides. Default 4 MiB
	Memberships     int // addresses that one connection may be a member of. Default 1000
	UnfinishedBytes int // bytes that all unfinished messages hold, those being inflated, and bodies of [Hub.ReadBody]; beyond, the longest are ended, close code 1013. At least MessageBytes. Default 256 MiB
	SendsInFlight   int // kept messages that SendAsync of one connection has on their way before it waits; that of the program, 16 times as many. Default 256

	HandshakeTimeout time.Duration // the time Connect, and what it asked for, may take. Default 10 s
	WriteTimeout     time.Duration // a write without progress ends the connection; over TLS, one of 16 KiB that takes longer. Default 10 s
	ReceiveGrace     time.Duration // the time a message may take to arrive, besides its bytes at ReceiveRate; beyond it, close code 1008. Default 10 s
	ReceiveRate      int           // bytes a second at which a message that was begun must arrive. Default 256
	CloseTimeout     time.Duration // the time the closing handshake may take. Default 5 s
	PingInterval     time.Duration // heartbeat; a connection that shows no life for two pings is dead: see below. At most an hour. Default 25 s
	ClaimTimeout     time.Duration // the time that a receiver may make no progress while kept messages wait for it, before a log keeps no more for it than for users who are away; see [Missed]. Default 60 s
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Layer == nil {
		opts.Layer = NewMemoryLayer()
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	orDefault(&opts.ShutdownCode, CloseGoingAway)
	if opts.ShutdownCode != CloseGoingAway && opts.ShutdownCode != CloseServiceRestart {
		panic("parley: ShutdownCode must be CloseGoingAway or CloseServiceRestart, not " + opts.ShutdownCode.String())
	}
	orDefault(&opts.Loops, runtime.GOMAXPROCS(0))
	l := &opts.Limits
	orDefault(&l.MessageBytes, 1<<20)
	orDefault(&l.ReceiveQueue, 256)
	orDefault(&l.SendQueueBytes, 1<<20)
	orDefault(&l.DeliverQueue, 256)
	orDefault(&l.MailboxBytes, 4<<20)
	orDefault(&l.Memberships, 1000)
	orDefault(&l.SendsInFlight, 256)
	orDefault(&l.UnfinishedBytes, 256<<20)
	l.UnfinishedBytes = max(l.UnfinishedBytes, l.MessageBytes)
	orDefault(&l.HandshakeTimeout, 10*time.Second)
	orDefault(&l.WriteTimeout, 10*time.Second)
	orDefault(&l.ReceiveGrace, 10*time.Second)
	orDefault(&l.ReceiveRate, 256)
	orDefault(&l.CloseTimeout, 5*time.Second)
	orDefault(&l.PingInterval, 25*time.Second)
	orDefault(&l.ClaimTimeout, time.Minute)
	return opts
}

func orDefault[T ~int | ~int64 | ~uint16](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

func (o *Options) socketConfig() socket.Config {
	return socket.Config{
		Loops:         o.Loops,
		MessageBytes:  o.Limits.MessageBytes,
		QueueBytes:    o.Limits.SendQueueBytes,
		DropWhenSlow:  o.SlowReader == DropSlow,
		MailboxBytes:  o.Limits.MailboxBytes,
		WriteTimeout:  o.Limits.WriteTimeout,
		CloseTimeout:  o.Limits.CloseTimeout,
		PingInterval:  o.Limits.PingInterval,
		ReceiveGrace:  o.Limits.ReceiveGrace,
		ReceiveRate:   o.Limits.ReceiveRate,
		SlowCloseCode: uint16(CloseNoProgress),
	}
}
