package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-rt/parley/internal/server"
)

// TestConfigErrorsNameTheFlag has each wrong value refused before anything
// listens.
func TestConfigErrorsNameTheFlag(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]server.Config{
		"--addr: other machines can reach 0.0.0.0:0":      {Addr: "0.0.0.0:0"},
		"--addr: other machines can reach :0":             {Addr: ":0"},
		"--addr: other machines can reach [::]:0":         {Addr: "[::]:0"},
		"--addr: other machines can reach example.com:0":  {Addr: "example.com:0"},
		`--addr: "nonsense" is not HOST:PORT`:             {Addr: "nonsense"},
		`--addr: "http" is not a port number`:             {Addr: "127.0.0.1:http"},
		`--addr: "70000" is not a port number`:            {Addr: "127.0.0.1:70000"},
		"--debug-addr: other machines can reach 10.0.0.1": {DebugAddr: "10.0.0.1:0"},
		`--debug-addr: "x" is not HOST:PORT`:              {DebugAddr: "x"},
		"--tls-key: missing":                              {TLSCert: "cert.pem"},
		"--tls-cert: missing":                             {TLSKey: "key.pem"},
		`--origin: "https://a.example/path"`:              {Origins: []string{"*.example", "https://a.example/path"}},
		`--origin: ""`:                                    {Origins: []string{""}},
		`--slow-reader: must be one of close, drop`:       {Limits: server.Limits{SlowReader: "wait"}},
		`--log-format: must be one of auto, text, json`:   {LogFormat: "xml"},
		"--max-connections: must not be negative":         {Limits: server.Limits{MaxConnections: -1}},
		"--message-bytes: must not be negative":           {Limits: server.Limits{MessageBytes: -1}},
		"--receive-queue: must not be negative":           {Limits: server.Limits{ReceiveQueue: -1}},
		"--send-queue-bytes: must not be negative":        {Limits: server.Limits{SendQueueBytes: -1}},
		"--mailbox-bytes: must not be negative":           {Limits: server.Limits{MailboxBytes: -1}},
		"--handshake-timeout: must not be negative":       {Limits: server.Limits{HandshakeTimeout: -1}},
		"--write-timeout: must not be negative":           {Limits: server.Limits{WriteTimeout: -1}},
		"--close-timeout: must not be negative":           {Limits: server.Limits{CloseTimeout: -1}},
		"--receive-grace: must not be negative":           {Limits: server.Limits{ReceiveGrace: -1}},
		"--receive-rate: must not be negative":            {Limits: server.Limits{ReceiveRate: -1}},
		"--data-bytes: must not be negative":              {Storage: server.Storage{DataBytes: -1}},
		"--durability: must be one of machine, process":   {Storage: server.Storage{Durability: "disk"}},
		"--loops: must not be negative":                   {Loops: -1},
		"--ping-interval: must not be negative":           {Limits: server.Limits{PingInterval: -time.Second}},
		"--shutdown-timeout: must not be negative":        {ShutdownTimeout: -1},
	} {
		if _, err := server.New(cfg, nil, server.NewLogger(&buffer{}, cfg)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got the error %v, want %s", err, want)
		}
	}
}

func TestConfigErrorsComeTogether(t *testing.T) {
	t.Parallel()
	cfg := server.Config{Addr: ":0", LogFormat: "xml"}
	_, err := server.New(cfg, nil, server.NewLogger(&buffer{}, cfg))
	if err == nil || !strings.Contains(err.Error(), "--addr") || !strings.Contains(err.Error(), "--log-format") {
		t.Errorf("got the error %v", err)
	}
}

func TestLogFormat(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{"": `"msg":"hello"`, "auto": `"msg":"hello"`, "json": `"msg":"hello"`, "text": "msg=hello"} {
		log := &buffer{}
		cfg := server.Config{LogFormat: format}
		server.NewLogger(log, cfg).Info("hello")
		server.NewLogger(log, cfg).Debug("quiet")
		if got := log.String(); !strings.Contains(got, want) || strings.Contains(got, "quiet") {
			t.Errorf("%s: %s", format, got)
		}
	}
}
