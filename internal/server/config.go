package server

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-rt/parley"
)

// Config is everything that can be said about a server, by flags, environment
// or file. The zero value of every field means its default. The tags are read
// by kong: a field's flag is its name in kebab case.
type Config struct {
	Addr    string   `default:"127.0.0.1:8000" help:"The host and port to listen on."`
	Open    bool     `help:"Let other machines connect although nothing proves who they are, and accept any Host header."`
	Origins []string `name:"origin" placeholder:"ORIGIN" help:"Pages of other hosts whose scripts may connect, such as https://example.com or https://*.example.com. Repeatable."`
	TLSCert string   `name:"tls-cert" type:"path" placeholder:"FILE" help:"Serve TLS with this certificate chain, in PEM."`
	TLSKey  string   `name:"tls-key" type:"path" placeholder:"FILE" help:"The key of --tls-cert, in PEM."`

	Compress bool `help:"Compress messages of 256 bytes or more for clients that offer it (permessage-deflate), and take compressed ones."`

	Storage `embed:""`

	Loops  int `placeholder:"N" help:"Event loops that share the connections. Default: one per core."`
	Limits `embed:""`

	ShutdownTimeout time.Duration `default:"10s" help:"How long open connections have to finish when the server stops."`

	LogFormat string     `default:"auto" help:"auto, text or json. auto is text on a terminal."`
	LogLevel  slog.Level `default:"info" help:"debug, info, warn or error."`
	DebugAddr string     `placeholder:"HOST:PORT" help:"Also serve /debug/pprof/ and /debug/vars, here. Off by default."`
}

// Limits bound what clients can make the server hold and wait for.
type Limits struct {
	MaxConnections   int           `placeholder:"N" help:"WebSocket connections at once; beyond it, 503. Default: nine tenths of the open-file limit."`
	MessageBytes     int           `default:"1048576" help:"The largest message that is accepted, and sent to clients for POST /v1/send."`
	UnfinishedBytes  int64         `placeholder:"N" help:"Bytes that all unfinished messages and bodies may take; beyond, the longest are ended. Default: an eighth of the memory, 64 MiB at least."`
	ReceiveQueue     int           `default:"256" help:"Messages of one connection that wait to be handled before it is not read."`
	SendQueueBytes   int           `default:"1048576" help:"Bytes that wait for a connection that reads too slowly."`
	SlowReader       string        `default:"close" help:"What becomes of a connection whose send queue is full: close it, or drop what does not fit and is not kept, answers too."`
	MailboxBytes     int           `default:"4194304" help:"Bytes handed to one event loop before senders wait for it."`
	HandshakeTimeout time.Duration `default:"10s" help:"The time a WebSocket handshake may take."`
	WriteTimeout     time.Duration `default:"10s" help:"A write without progress for so long ends the connection."`
	ReceiveGrace     time.Duration `default:"10s" help:"The time a message may take to arrive, besides its bytes at --receive-rate."`
	ReceiveRate      int           `default:"256" help:"Bytes a second at which a message that was begun must arrive."`
	CloseTimeout     time.Duration `default:"5s" help:"The time the closing handshake may take."`
	PingInterval     time.Duration `default:"25s" help:"Heartbeat. A connection silent for two pings is dead."`
	ClaimTimeout     time.Duration `default:"60s" help:"A device that acknowledges nothing for so long, while messages wait, has no more kept for it than a user who is away."`
}

// withDefaults fills in what the library has no default for.
func (c Config) withDefaults() Config {
	if c.Addr == "" {
		c.Addr = "127.0.0.1:8000"
	}
	if c.Data == "" {
		c.Data = DefaultData
	}
	if c.ShutdownTimeout == 0 {
		c.ShutdownTimeout = 10 * time.Second
	}
	if c.MessageBytes == 0 {
		c.MessageBytes = 1 << 20
	}
	if c.UnfinishedBytes == 0 {
		c.UnfinishedBytes = unfinishedFor(machineMemory())
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = connectionsFor(openFileLimit())
	}
	return c
}

// hubOptions returns what the library is told.
func (c *Config) hubOptions(log *slog.Logger) *parley.Options {
	keep, _ := c.keepRules() // validated
	return &parley.Options{
		Keep:        keep,
		Origins:     c.allowedOrigins(),
		Compression: c.Compress,
		SlowReader:  map[string]parley.SlowReader{"drop": parley.DropSlow}[c.SlowReader],
		Logger:      log,
		Loops:       c.Loops,
		Limits: parley.Limits{
			MessageBytes:     c.MessageBytes,
			UnfinishedBytes:  int(max(c.UnfinishedBytes, int64(c.MessageBytes)+2*sendAround)), // one body at least
			ReceiveQueue:     c.ReceiveQueue,
			SendQueueBytes:   c.SendQueueBytes,
			MailboxBytes:     c.MailboxBytes,
			HandshakeTimeout: c.HandshakeTimeout,
			WriteTimeout:     c.WriteTimeout,
			ReceiveGrace:     c.ReceiveGrace,
			ReceiveRate:      c.ReceiveRate,
			CloseTimeout:     c.CloseTimeout,
			PingInterval:     c.PingInterval,
			ClaimTimeout:     c.ClaimTimeout,
		},
	}
}

// allowedOrigins adds the pages of this machine's development servers, unless
// the server is open.
func (c *Config) allowedOrigins() []string {
	origins := c.Origins
	if c.Open {
		return origins
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		for _, scheme := range []string{"http", "https"} {
			origin := fmt.Sprintf("%s://%s", scheme, host)
			origins = append(origins, origin, origin+":*")
		}
	}
	return origins
}
