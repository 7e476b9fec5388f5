package socket

import "net"

// transport moves one connection's bytes. It is where the engines differ: polled
// is a socket that its loop reads and writes, stream is any other connection,
// which has a reader goroutine, and a writer while its outbox holds anything.
// All methods but drop are for the loop alone; none waits.
type transport interface {
	// resume has the connection read: first data, which was read before.
	resume(l *Loop, c *Conn, data []byte)
	// paused reports whether reading waits for Resume.
	paused() bool
	// took reports whether the peer took some of the bytes that the system held for it
	// when this was asked last; false where the system does not tell.
	took() bool
	// write writes what can be written at once of some pieces, in one call, and
	// returns the number of bytes. It is not called while there is an outbox.
	write(l *Loop, pieces [][]byte) (int, error)
	// drain empties the outbox, now or as the peer takes it.
	drain(l *Loop, c *Conn, o *outbox)
	// closeWrite ends our side.
	closeWrite(l *Loop)
	// endPart fails the connection, if the budget wants its unfinished message to end.
	endPart(l *Loop, c *Conn)
	// close ends the connection.
	close(l *Loop, c *Conn)
	// drop ends one that no loop took in; anybody may call it.
	drop()
}

// intake is what a transport remembers for took.
type intake struct {
	taken uint32 // bytes that the peer had taken; it wraps around
	held  bool   // the system held some
}

// note takes how many bytes were written to a socket since it was opened, and how many
// of them the system still holds. A ping that was taken alone, at once, shows that the
// peer's system lives, not the peer: so only those count that had to wait.
func (i *intake) note(wrote uint32, held int) (took bool) {
	taken := wrote - uint32(held)
	took = i.held && int32(taken-i.taken) > 0
	i.taken, i.held = taken, held > 0
	return took
}

// readBytes is the size of the buffer that a loop reads into, and streamBytes
// that of a stream's reader.
const (
	readBytes   = 32 << 10
	streamBytes = 4 << 10
)

// isSocket reports whether nc is exactly a TCP or Unix socket: a wrapper that
// embeds one may change what reading and writing mean.
func isSocket(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}
