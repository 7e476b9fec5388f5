package socket

import (
	"errors"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// polled is the transport of a TCP or Unix socket on Linux: a descriptor that
// nobody but its loop knows, which reads and writes it without waiting.
type polled struct {
	fd     int32
	stops  bool // until Start or Resume nothing is read
	ending bool // the peer sends no more: reading goes on to the end
	again  bool // in poller.again: it is read there, not when it is reported
	wrote  uint32
	intake intake
}

// readyEvents are asked for once and reported when they begin: it takes no system
// call to ask again.
const readyEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

// endEvents say that the peer sends no more.
const endEvents = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// newTransport takes nc over, also where there is an error. The descriptor of a
// plain socket is duplicated, and nc closed, so that Go's runtime, and whoever
// else knows nc, has nothing to do with it any more.
func newTransport(cfg Config, nc net.Conn) (transport, error) {
	if cfg.Portable || !isSocket(nc) {
		return newStream(nc), nil
	}
	fd, err := duplicate(nc.(syscall.Conn))
	if err = errors.Join(err, nc.Close()); err != nil {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		return nil, err
	}
	return &polled{fd: int32(fd), stops: true}, nil
}

// duplicate returns another descriptor of a socket, or -1 and an error.
func duplicate(s syscall.Conn) (fd int, err error) {
	fd = -1
	raw, err := s.SyscallConn()
	if err != nil {
		return fd, err
	}
	failed := raw.Control(func(from uintptr) {
		if fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			fd, err = -1, os.NewSyscallError("fcntl", err)
		}
	})
	return fd, errors.Join(failed, err)
}

func (p *polled) paused() bool { return p.stops }

func (p *polled) took() bool {
	held, err := heldFor(int(p.fd))
	return err == nil && p.intake.note(p.wrote, held)
}

func (p *polled) resume(l *Loop, c *Conn, data []byte) {
	p.stops = false
	if len(data) > 0 {
		p.take(l, c, data)
	}
	p.read(l, c) // what came meanwhile was reported already
}

// ready handles what the socket became ready for.
func (p *polled) ready(l *Loop, c *Conn, events uint32) {
	if events&endEvents != 0 {
		p.ending = true
	}
	if o := c.out.Load(); o != nil && events&(unix.EPOLLOUT|endEvents) != 0 {
		l.drain(c, o)
	}
	if events&(unix.EPOLLIN|endEvents) != 0 && !p.again {
		p.read(l, c)
	}
}

// read reads once. Where that cannot have been all, another read follows in the
// next round, after the other sockets. A short read is all there was, but for what
// WebSocket peers do not send: urgent data, and descriptors on Unix sockets.
func (p *polled) read(l *Loop, c *Conn) {
	if p.stops || c.state == stateClosed || c.peerClosed {
		return
	}
	buf := l.poller.buf
	n, err := p.transfer(unix.SYS_RECVFROM, unsafe.Pointer(&buf[0]), len(buf), unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN:
		return
	case err != nil || n == 0:
		l.finalize(c, codeAbnormal)
		return
	}
	acquire(p.fd)
	p.take(l, c, buf[:n])
	if (n == len(buf) || p.ending) && !p.again {
		p.again = true
		l.poller.again = append(l.poller.again, c)
	}
}

// take decodes what was read, and acts on it.
func (p *polled) take(l *Loop, c *Conn, b []byte) {
	p.stops = !c.arrived(b, &l.in)
	l.follow(&l.in)
	if c.decoder.part != nil && !c.listed && c.state != stateClosed {
		c.listed = true
		l.partial = append(l.partial, c)
	}
}

// transfer makes a system call without telling Go's scheduler, which would make
// room for another goroutine. It does not wait, although the program may have
// made the socket a blocking one, as (*net.TCPConn).File and Fd do.
func (p *polled) transfer(call uintptr, memory unsafe.Pointer, size, flags int) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(call, uintptr(p.fd), uintptr(memory), uintptr(size), uintptr(flags), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

const sendFlags = unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL

// maxIovecs is how many pieces the kernel takes in one call (IOV_MAX).
const maxIovecs = 1024

func (p *polled) write(l *Loop, pieces [][]byte) (int, error) {
	total := 0
	for len(pieces) > 0 {
		batch := pieces[:min(len(pieces), maxIovecs)]
		pieces = pieces[len(batch):]
		n, size, err := p.writeBatch(l, batch)
		total += n
		p.wrote += uint32(n)
		if err != nil || n < size {
			return total, err
		}
	}
	return total, nil
}

// writeBatch returns how much was written of how much.
func (p *polled) writeBatch(l *Loop, pieces [][]byte) (n, size int, err error) {
	release()
	if len(pieces) == 1 {
		b := pieces[0]
		size = len(b)
		n, err = p.transfer(unix.SYS_SENDTO, unsafe.Pointer(unsafe.SliceData(b)), size, sendFlags)
	} else {
		size = l.poller.gather(pieces)
		// The flags of sendmsg stand where others have the size.
		n, err = p.transfer(unix.SYS_SENDMSG, unsafe.Pointer(&l.poller.message), sendFlags, 0)
		clear(l.poller.iovecs)
	}
	if err == unix.EAGAIN {
		err = nil
	}
	return n, size, err
}

// drain writes what the socket takes of the outbox; the rest waits until it is
// ready for more.
func (p *polled) drain(l *Loop, c *Conn, o *outbox) {
	for progress := false; ; {
		n := o.peek(c, l.poller.out)
		if n == 0 {
			l.emptied(c, o)
			return
		}
		l.poller.one[0] = l.poller.out[:n]
		wrote, err := p.write(l, l.poller.one[:])
		if err != nil {
			o.abandon()
			l.broken(c, codeAbnormal)
			return
		}
		o.advance(wrote)
		if wrote > 0 { // the peer took something: it lives, though a ping may wait behind much else
			progress = true
			c.seen.Store(true)
		}
		if wrote < n {
			l.stall(c, o, progress)
			return
		}
	}
}

func (p *polled) endPart(l *Loop, c *Conn) {
	if c.decoder.ended() {
		c.fail(errNoRoom, &l.in)
		l.follow(&l.in)
	}
}

func (p *polled) closeWrite(*Loop) { _ = unix.Shutdown(int(p.fd), unix.SHUT_WR) }

// close ends the connection. Its descriptor is not known to the kernel's poller
// any more before its number is free, nor used here again.
func (p *polled) close(l *Loop, c *Conn) {
	c.decoder.drop(l.engine.cfg.Budget)
	if l.poller.file != nil {
		_ = unix.EpollCtl(l.poller.fd, unix.EPOLL_CTL_DEL, int(p.fd), nil)
	}
	p.drop()
}

func (p *polled) drop() {
	endAtOnce(int(p.fd))
	_ = unix.Close(int(p.fd))
	p.fd = -1
}
