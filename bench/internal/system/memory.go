package system

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"
)

// Memory is what a runtime tells about itself, in bytes; a value it cannot tell is negative.
type Memory struct {
	Heap   float64
	Stacks float64
}

// unknown is the answer of a runtime that tells nothing.
var unknown = Memory{Heap: -1, Stacks: -1}

// memory is how a runtime is asked to collect its garbage, and what it holds.
type memory struct {
	collect  string // path of a GET
	read     string // path of a GET; empty where the runtime cannot tell
	samePort bool   // both are on the port that clients use
	decode   func(io.Reader) (Memory, error)
}

var goMemory = memory{collect: "/debug/pprof/heap?gc=1", read: "/debug/vars", decode: decodeGo}

func decodeGo(r io.Reader) (Memory, error) {
	var vars struct {
		Memstats struct{ HeapInuse, StackInuse float64 }
	}
	if err := json.NewDecoder(r).Decode(&vars); err != nil {
		return Memory{}, err
	}
	return Memory{Heap: vars.Memstats.HeapInuse, Stacks: vars.Memstats.StackInuse}, nil
}

var scriptMemory = memory{collect: "/debug/gc", read: "/debug/heap", decode: decodeScript}

func decodeScript(r io.Reader) (Memory, error) {
	var answer struct {
		Heap float64 `json:"heap"`
	}
	if err := json.NewDecoder(r).Decode(&answer); err != nil {
		return Memory{}, err
	}
	return Memory{Heap: answer.Heap, Stacks: unknown.Stacks}, nil
}

var pythonMemory = memory{collect: "/debug/gc", samePort: true}

// client keeps no connection, which would be one more at the server.
var client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

// Collect forces a garbage collection and returns when it is done.
func (i *Instance) Collect() error {
	return i.get(i.memory.collect, func(body io.Reader) error {
		_, err := io.Copy(io.Discard, body)
		return err
	})
}

// Memory asks the runtime what it holds.
func (i *Instance) Memory() (Memory, error) {
	if i.memory.read == "" {
		return unknown, nil
	}
	var held Memory
	err := i.get(i.memory.read, func(body io.Reader) (err error) {
		held, err = i.memory.decode(body)
		return err
	})
	return held, err
}

func (i *Instance) get(path string, use func(io.Reader) error) error {
	url := "http://" + i.debugAddr().String() + path
	response, err := client.Get(url)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the server: %s: %s", url, response.Status)
	}
	if err := use(response.Body); err != nil {
		return fmt.Errorf("read %s: %w", url, err)
	}
	return nil
}

// AwaitReady returns once a Parley server says that it is ready.
func (i *Instance) AwaitReady() error {
	for end := time.Now().Add(readyLimit); ; {
		response, err := client.Get("http://" + i.Addr.String() + "/readyz")
		if err != nil {
			return fmt.Errorf("ask whether the server is ready: %w", err)
		}
		_ = response.Body.Close() // nothing is wanted of it
		if response.StatusCode == http.StatusOK {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server is not ready after %v: %s", readyLimit, response.Status)
		}
	}
}

// readyLimit is how long a server that listens may take to be ready.
const readyLimit = 30 * time.Second

func (i *Instance) debugAddr() netip.AddrPort {
	if i.memory.samePort {
		return i.Addr
	}
	return i.debug
}
