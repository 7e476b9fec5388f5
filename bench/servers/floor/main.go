// Command floor relays messages with as little as Go can do: one thread, epoll, one buffer to read into, non-blocking writes, no queue.
// It shows what the kernel's calls alone cost: one write per delivery, or, with --coalesce, one per receiver for all that a round of
// events brought for it. A receiver whose socket is full is dropped.
package main

import (
	_ "expvar"
	"flag"
	"log"
	"net/http"
	_ "net/http/pprof"
	"net/netip"
	"runtime"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where clients connect")
	debug := flag.String("debug-addr", "127.0.0.1:8081", "where /debug/pprof/ and /debug/vars are served")
	coalesce := flag.Bool("coalesce", false, "write to each receiver once per round of events, instead of once per message")
	flag.Parse()
	go func() { log.Fatal(http.ListenAndServe(*debug, nil)) }()
	log.Fatal(serve(*addr, *coalesce))
}

func serve(addr string, coalesce bool) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	l, err := newLoop(at, coalesce)
	if err != nil {
		return err
	}
	for {
		if err := l.step(); err != nil {
			return err
		}
	}
}
