package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"
)

// TestDescriptorsAreOnesOwn opens and ends many connections at once, so that the
// numbers of their descriptors are soon those of other connections, of pipes and
// of files, while others write to those that are about to end, or over: nobody
// gets what is another's, or loses a descriptor.
func TestDescriptorsAreOnesOwn(t *testing.T) {
	t.Parallel()
	rounds := 150
	if testing.Short() {
		rounds = 25
	}
	cfg := testConfig()
	cfg.Loops, cfg.DropWhenSlow, cfg.MailboxBytes = 3, true, 8<<10
	s := &crowd{engine: newTestEngine(t, cfg)}
	over := make(chan struct{})
	var conns, others sync.WaitGroup
	for worker := range uint64(6) {
		conns.Go(func() {
			r := rand.New(rand.NewPCG(worker, 1))
			for range rounds {
				if err := s.come(t, r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	dir := t.TempDir()
	for worker, f := range []func(r *rand.Rand) error{
		s.write, s.write, s.publish, bystandingPipe, bystandingPipe,
		func(r *rand.Rand) error { return bystandingFile(filepath.Join(dir, fmt.Sprint(r.Uint64())), r) },
	} {
		others.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 2))
			for {
				select {
				case <-over:
					return
				default:
				}
				if err := f(r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	conns.Wait()
	close(over)
	others.Wait()
	if s.frames.Load() == 0 || s.late.Load() == 0 {
		t.Errorf("%d frames were received, %d written to connections that were over", s.frames.Load(), s.late.Load())
	}
}

// crowd is many connections that come and go.
type crowd struct {
	engine *Engine
	topic  Topic
	lastID atomic.Uint64
	recent [16]atomic.Pointer[guest]
	frames atomic.Int64 // that clients received
	late   atomic.Int64 // frames for connections that were over
}

// guest is one of them. All it sends, and all it is sent but for what is sent to
// everyone, begins with its ID.
type guest struct {
	id   uint64
	conn *Conn
	over atomic.Bool
}

func marked(id uint64, r *rand.Rand) []byte {
	return append(binary.BigEndian.AppendUint64(nil, id), make([]byte, r.IntN(300))...)
}

// write writes to a connection that may be over.
func (s *crowd) write(r *rand.Rand) error {
	g := s.recent[r.IntN(len(s.recent))].Load()
	if g == nil {
		return nil
	}
	if g.over.Load() {
		s.late.Add(1)
	}
	return g.conn.Write(background, Frame(true, marked(g.id, r)), r.IntN(4) == 0)
}

func (s *crowd) publish(r *rand.Rand) error {
	return s.engine.Publish(background, &s.topic, Post{Frame: Frame(true, marked(0, r))})
}

// come makes a connection and ends it.
func (s *crowd) come(t *testing.T, r *rand.Rand) error {
	server, client, err := socketPair()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := client.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	g := &guest{id: s.lastID.Add(1), conn: &Conn{}}
	h, strange := newRecorder(), make(chan string, 1)
	h.receive = func(messages []Message) bool {
		for _, m := range messages {
			if len(m.Data) < 8 || binary.BigEndian.Uint64(m.Data) != g.id {
				strange <- fmt.Sprintf("connection %d received % x", g.id, m.Data)
			}
		}
		return true
	}
	h.peer = func(code uint16) { go func() { _ = g.conn.Close(code, "") }() }
	if err := s.engine.Open(g.conn, server, nil, h); err != nil {
		return err
	}
	s.recent[r.IntN(len(s.recent))].Store(g)
	h.join(t, g.conn, &s.topic)
	if err := errors.Join(g.conn.Accept(), g.conn.Start(nil)); err != nil {
		return err
	}
	if _, err := client.Write(clientFrame(ws.OpBinary, string(marked(g.id, r)))); err != nil {
		return err
	}
	if err := s.leave(g, client, r); err != nil {
		return fmt.Errorf("connection %d: %w", g.id, err)
	}
	<-h.closed
	g.over.Store(true)
	select {
	case what := <-strange:
		return errors.New(what)
	default:
		return nil
	}
}

// leave ends a connection from either side, after some frames.
func (s *crowd) leave(g *guest, client net.Conn, r *rand.Rand) error {
	way, n := r.IntN(3), r.IntN(10)
	for i := 0; ; i++ {
		if i == n {
			if way == 0 {
				return client.Close()
			}
			if way == 1 {
				if _, err := client.Write(clientFrame(ws.OpClose, "")); err != nil {
					return err
				}
			} else if err := g.conn.Close(codeNormal, ""); err != nil {
				return err
			}
		}
		f, err := readFrame(client)
		if err != nil {
			return err
		}
		if f.Header.OpCode == ws.OpClose {
			break
		}
		if id := binary.BigEndian.Uint64(f.Payload); id != g.id && id != 0 {
			return fmt.Errorf("received what is for connection %d", id)
		}
		s.frames.Add(1)
	}
	if way == 2 {
		if _, err := client.Write(clientFrame(ws.OpClose, "")); err != nil {
			return err
		}
	}
	if rest, err := io.ReadAll(client); err != nil || len(rest) > 0 {
		return fmt.Errorf("%d bytes came after the close frame, and %w", len(rest), err)
	}
	return nil
}

// socketPair returns the ends of a connection with little ado.
func socketPair() (server, client net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		end, failed := net.FileConn(file)
		err = errors.Join(err, failed, file.Close())
		ends[i] = end
	}
	return ends[0], ends[1], err
}

// bystandingPipe uses a pipe, in which there must be nothing but what it wrote.
func bystandingPipe(r *rand.Rand) error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	want, got := marked(r.Uint64(), r), make([]byte, 1000)
	_, err := unix.Write(fds[1], want)
	n, failed := unix.Read(fds[0], got)
	if err = errors.Join(err, failed); err == nil && !bytes.Equal(got[:n], want) {
		err = fmt.Errorf("a pipe held % x", got[:n])
	}
	if _, empty := unix.Read(fds[0], got); empty != unix.EAGAIN {
		err = errors.Join(err, fmt.Errorf("a pipe held more, or ended: %w", empty))
	}
	return errors.Join(err, unix.Close(fds[0]), unix.Close(fds[1]))
}

// bystandingFile uses a file.
func bystandingFile(name string, r *rand.Rand) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	want := marked(r.Uint64(), r)
	_, err = f.Write(want)
	got := make([]byte, 1000)
	n, failed := f.ReadAt(got, 0)
	if failed == io.EOF {
		failed = nil
	}
	if err = errors.Join(err, failed); err == nil && !bytes.Equal(got[:n], want) {
		err = fmt.Errorf("a file held % x", got[:n])
	}
	return errors.Join(err, f.Close(), os.Remove(name))
}
