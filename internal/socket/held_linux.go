package socket

import "golang.org/x/sys/unix"

// heldFor returns how many bytes written to a TCP or Unix socket the system still holds:
// the peer's system did not acknowledge them, or, of a Unix socket, the peer did not read
// them. Those of a Unix socket are counted with what they cost.
func heldFor(fd int) (int, error) { return unix.IoctlGetInt(fd, unix.SIOCOUTQ) }
