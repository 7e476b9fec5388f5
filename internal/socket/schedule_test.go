package socket

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// step is one thing that a client or a server does.
type step struct {
	do    action
	bytes []byte // sent by the client, in writes of random sizes, or a frame of the server's
	more  bool   // of the server's frame: more of a batch follows
	code  uint16 // of the server's close frame
}

type action uint8

const (
	clientSends action = iota
	clientStops        // reading
	clientReads        // again
	clientAwaitsClose
	clientHalfCloses
	clientLeaves // closes the TCP connection
	clientResets
	serverWrites
	serverPublishes
	serverCloses
	serverStops // reading, at the next message
	serverReads // again
	loopTurns   // the loop has done what it was told before
)

// ending is how a schedule ends its connection.
type ending uint8

const (
	byClient ending = iota // its close frame
	byServer               // its close frame
	byBoth
	byBreach    // of the protocol
	byHalfClose // of the client's, without a close frame
	byLeaving
	byReset
	endings
)

// schedule is what happens to one connection, and what must come of it.
type schedule struct {
	steps  []step
	ending ending

	messages []string // that the client sent whole, before it broke the protocol
	pings    []string
	writes   []string // of the server, before it closed
	// all says that the client must have received all of them. It cannot
	// be known where the connection ended while more was on its way.
	all       bool
	peerClose []uint16
	closed    uint16
	closeSent string // the payload of the server's close frame; only its code after a breach
}

// maker makes a schedule.
type maker struct {
	*schedule
	r *rand.Rand
	n int // messages so far
}

// scheduleLimit is the bound on messages of connections under a schedule.
const scheduleLimit = 1 << 18

func newSchedule(seed uint64) *schedule {
	m := &maker{schedule: &schedule{}, r: rand.New(rand.NewPCG(seed, 5))}
	m.ending = ending(m.r.IntN(int(endings)))
	for range m.r.IntN(12) {
		m.talk(true, true)
	}
	m.add(step{do: loopTurns}) // what the server wrote is no part of a batch that waits for more
	m.end()
	after := 0
	if m.r.IntN(3) == 0 {
		after = m.r.IntN(6)
	}
	switch m.ending {
	case byServer, byBoth: // what the server writes now is for nothing
		for range after {
			m.talk(true, false)
		}
		if m.ending == byServer {
			m.add(step{do: clientReads})
			m.add(step{do: clientAwaitsClose})
		}
		m.peerClose = []uint16{m.close()}
		m.all = true
	case byBreach: // what the client sends now is
		messages, pings := m.messages, m.pings
		for range after {
			m.talk(true, true)
		}
		m.messages, m.pings = messages, pings
		m.all = after == 0
	default:
		for range after {
			m.talk(false, true)
		}
		m.all = after == 0 && m.ending == byClient
	}
	return m.schedule
}

func (m *maker) add(s step) { m.steps = append(m.steps, s) }

func (m *maker) one(of ...string) string { return of[m.r.IntN(len(of))] }

// talk adds a step that ends nothing.
func (m *maker) talk(client, counts bool) {
	if m.r.IntN(4) == 0 {
		m.add(step{do: loopTurns})
	}
	switch m.r.IntN(8) {
	case 0, 1, 2:
		if client {
			m.message()
		}
	case 3, 4:
		m.write(counts)
	case 5:
		m.add(step{do: clientStops + action(m.r.IntN(2))})
	case 6:
		m.add(step{do: serverStops})
	case 7:
		m.add(step{do: serverReads})
	}
}

// write adds a frame of the server's.
func (m *maker) write(counts bool) {
	text := fmt.Sprint(len(m.steps), " ", strings.Repeat("s", m.size()))
	if counts {
		m.writes = append(m.writes, text)
	}
	do := serverWrites + action(m.r.IntN(2))
	m.add(step{do: do, bytes: Frame(m.r.IntN(2) == 0, []byte(text)), more: m.r.IntN(3) == 0})
}

func (m *maker) size() int {
	switch m.r.IntN(10) {
	case 0:
		return 0
	case 1:
		return 120 + m.r.IntN(10)
	case 2:
		return 65530 + m.r.IntN(20_000)
	case 3:
		return 200_000
	default:
		return m.r.IntN(1000)
	}
}

// message adds a message of the client's, in any number of fragments, with
// control frames before and between.
func (m *maker) message() {
	var b []byte
	isBinary, text := m.r.IntN(2) == 0, ""
	op := ws.OpText
	if m.r.IntN(10) > 0 { // else it is empty
		text = fmt.Sprint(m.n, m.one(" κόσμε €", " 𝄞", " plain "), strings.Repeat(m.one("c", "é"), m.size()/2))
	}
	if isBinary {
		op = ws.OpBinary
	}
	m.n++
	m.messages = append(m.messages, fmt.Sprint(isBinary, text))
	rest := text
	for m.r.IntN(3) == 0 {
		n := m.r.IntN(len(rest) + 1)
		b = append(m.control(b), m.frame(op, false, rest[:n])...)
		op, rest = ws.OpContinuation, rest[n:]
	}
	b = append(m.control(b), m.frame(op, true, rest)...)
	m.add(step{do: clientSends, bytes: b})
}

func (m *maker) frame(op ws.OpCode, fin bool, payload string) []byte {
	var mask [4]byte
	binary.LittleEndian.PutUint32(mask[:], m.r.Uint32())
	return ws.MustCompileFrame(ws.MaskFrameWith(ws.NewFrame(op, fin, []byte(payload)), mask))
}

// control appends a control frame, or none.
func (m *maker) control(b []byte) []byte {
	switch m.r.IntN(8) {
	case 0:
		ping := fmt.Sprint("ping ", len(m.pings))
		m.pings = append(m.pings, ping)
		return append(b, m.frame(ws.OpPing, true, ping)...)
	case 1:
		return append(b, m.frame(ws.OpPong, true, m.one("", "unasked"))...)
	}
	return b
}

// end adds what ends the connection.
func (m *maker) end() {
	m.closed = codeAbnormal
	switch m.ending {
	case byClient:
		m.closed = m.close()
		m.peerClose = []uint16{m.closed}
		if m.closed != codeNoStatus {
			m.closeSent = string(closeFrame(m.closed, "")[2:])
		}
		if m.r.IntN(3) == 0 { // the server's answer is not hindered by it
			m.add(step{do: clientHalfCloses})
		}
	case byServer, byBoth:
		m.closed = 4000 + uint16(m.r.IntN(100))
		m.closeSent = string(closeFrame(m.closed, "")[2:])
		m.add(step{do: serverCloses, code: m.closed})
		m.add(step{do: loopTurns}) // who closed first is settled before the client does
	case byBreach:
		m.breach()
	case byHalfClose:
		m.add(step{do: clientHalfCloses})
	case byLeaving:
		m.add(step{do: clientLeaves})
	case byReset:
		m.add(step{do: clientResets})
	}
}

// close adds the client's close frame and returns what the server must take its
// code for.
func (m *maker) close() uint16 {
	payload, code := "", uint16(codeNoStatus)
	if m.r.IntN(3) > 0 {
		code = []uint16{1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999}[m.r.IntN(8)]
		payload = string(closeFrame(code, m.one("", "bye", strings.Repeat("é", 61)))[2:])
	}
	m.add(step{do: clientSends, bytes: m.frame(ws.OpClose, true, payload)})
	return code
}

// breach adds something that the protocol forbids.
func (m *maker) breach() {
	frame := func(head ...byte) []byte { return append(head, "mask"...) }
	var b []byte
	m.closed = codeProtocol
	switch m.r.IntN(16) {
	case 0:
		b = Frame(false, []byte("not masked"))
	case 1:
		b = m.frame(ws.OpCode(3+m.r.IntN(5)), true, "reserved")
	case 2:
		b = m.frame(ws.OpText, true, "reserved bits")
		b[0] |= 0x10 << m.r.IntN(3)
	case 3:
		b = m.frame(ws.OpContinuation, m.r.IntN(2) == 0, "of nothing")
	case 4:
		b = append(m.frame(ws.OpText, false, "a"), m.frame(ws.OpBinary, true, "within another")...)
	case 5:
		b = m.frame(ws.OpPing, false, "in fragments")
	case 6:
		b = m.frame(ws.OpPing, true, strings.Repeat("a", 126))
	case 7:
		b = m.frame(ws.OpClose, true, "\x03")
	case 8:
		b = m.frame(ws.OpClose, true, m.one("\x03\xe7", "\x03\xed", "\x03\xee", "\x0b\xb7", "\x13\x88", "\xff\xff", "\x00\x00"))
	case 9:
		b, m.closed = m.frame(ws.OpClose, true, "\x03\xe8a\xff"), codeInvalidData
	case 10:
		b, m.closed = m.frame(ws.OpText, true, "a\xffb"), codeInvalidData
	case 11:
		b = append(m.frame(ws.OpText, false, "\xe2\x82"), m.frame(ws.OpContinuation, true, "(")...)
		m.closed = codeInvalidData
	case 12:
		b, m.closed = m.frame(ws.OpText, true, "cut \xe2\x82"), codeInvalidData
	case 13:
		b = frame(0x82, 0xff, 0, 0, 0, 0, 0, 4, 0, 1) // declared, not sent
		m.closed = codeTooBig
	case 14:
		b = append(m.frame(ws.OpBinary, false, strings.Repeat("a", 1000)), frame(0x80, 0xff, 0, 0, 0, 0, 0, 3, 0xff, 0xff)...)
		m.closed = codeTooBig
	case 15:
		b = frame(0x82, 0xfe, 0, 1) // not the shortest form
	}
	m.closeSent = string(closeFrame(m.closed, "")[2:])
	m.add(step{do: clientSends, bytes: b})
}

// cut shortens what is printed of a text.
func cut(text string) string {
	if len(text) > 40 && utf8.ValidString(text) {
		return fmt.Sprintf("%q and %d bytes", text[:20], len(text)-20)
	}
	return fmt.Sprintf("%q", text)
}
