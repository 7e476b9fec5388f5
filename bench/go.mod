module github.com/parley-rt/parley/bench

go 1.26.0

require (
	github.com/gorilla/websocket v1.5.3
	golang.org/x/sys v0.49.0
)
