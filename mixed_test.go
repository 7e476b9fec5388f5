package parley_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/parley-rt/parley"
)

// TestStressMixed does everything at once, and on each connection by several
// goroutines: what a client gets is in the order of each sender, nothing comes
// twice, and of what is sent to everyone nothing is missing.
func TestStressMixed(t *testing.T) {
	t.Parallel()
	onAll(t, kinds, func(t *testing.T, k kind) {
		messages := 150
		if testing.Short() {
			messages = 20
		}
		m := newMix(t, k, messages)
		var clients sync.WaitGroup
		for _, one := range m.stay {
			clients.Go(one.listen)
		}
		m.work()
		if err := m.hub.Send(t.Context(), parley.Everyone, parley.Text("end")); err != nil {
			t.Error(err)
		}
		clients.Wait()
		for _, one := range m.stay {
			m.check(one)
			one.wire.send(closing(1000, ""))
		}
		hubCloses(t, m.hub)
		if left := parley.Left(m.hub); left != "" {
			t.Error(left)
		}
	})
}

// mix is a hub with connections of all kinds of consumers.
type mix struct {
	t        *testing.T
	hub      *parley.Hub
	sites    []*site
	messages int // that each goroutine sends
	groups   []parley.Address
	stay     []*mixed
	clients  sync.WaitGroup // those whose last message is yet to be sent on
}

// mixed is a connection that stays, and its client.
type mixed struct {
	name    string
	conn    *parley.Conn
	wire    *wire
	marked  bool
	last    map[string]int // number of the last message, by stream
	got     map[string]int // messages, by stream
	problem string
}

func newMix(t *testing.T, k kind, messages int) *mix {
	t.Helper()
	m := &mix{t: t, messages: messages}
	m.hub = k.hub(t, &parley.Options{Limits: parley.Limits{
		DeliverQueue: 1 << 20, SendQueueBytes: 64 << 20, MailboxBytes: 1 << 14, ReceiveQueue: 4,
	}})
	for i := range 2 * parley.Few {
		m.groups = append(m.groups, parley.Group(strconv.Itoa(i)))
	}
	opened := make(chan *parley.Conn, 1)
	base := consumer{
		connect: func(c *parley.Conn) error {
			if c.Request().Header.Get("X-Stays") != "" {
				opened <- c
			}
			return joinEveryone(c)
		},
		// What a client sends goes to everyone else.
		receive: func(c *parley.Conn, message parley.Message) error {
			if string(message.Data) == "last" {
				m.clients.Done()
				return nil
			}
			return c.Send(c.Context(), parley.Everyone, message, parley.Except(c))
		},
	}
	for i, factory := range []func() parley.Consumer{
		func() parley.Consumer { return base },
		func() parley.Consumer {
			return deliverer{base, func(c *parley.Conn, m parley.Message) error { return c.Reply(m) }}
		},
		func() parley.Consumer { return marker{base} },
	} {
		m.sites = append(m.sites, newSite(t, k.transport, m.hub, factory))
		for range 2 {
			w := m.sites[i].connect(t)
			w.send(handshake[:len(handshake)-2], "X-Stays: yes\r\n\r\n")
			w.accepted()
			one := newMixed()
			one.name, one.conn, one.wire, one.marked = strconv.Itoa(len(m.stay)), await(t, opened, "Connect"), w, i == 2
			m.stay = append(m.stay, one)
			m.clients.Add(1)
		}
	}
	return m
}

// marker is an Encoder that marks what it is given.
type marker struct{ consumer }

func (marker) Encode(m parley.Message) (parley.Message, error) {
	return parley.Text("*" + string(m.Data)), nil
}

// work returns once all is sent.
func (m *mix) work() {
	defer m.listenTo(parley.Everyone)()
	var all sync.WaitGroup
	for _, one := range m.stay {
		all.Go(func() { m.sendTo(parley.Everyone, one.conn, "all by "+one.name) })
		all.Go(func() { m.sendTo(m.groups[0], one.conn, "group by "+one.name) })
		all.Go(func() { m.reply(one.conn, "reply of "+one.name) })
		all.Go(func() { m.comeAndGo(one.conn) })
		all.Go(func() { m.identify(one) })
		all.Go(func() { m.clientSends(one) })
		all.Go(func() { m.ask() })
	}
	for i := range m.sites {
		all.Go(func() { m.churn(m.sites[i]) })
	}
	all.Wait()
	m.clients.Wait()
}

// numbered is a message of a stream.
func numbered(stream string, n int) parley.Message {
	return parley.Text(stream + "|" + strconv.Itoa(n))
}

func (m *mix) sendTo(to parley.Address, c *parley.Conn, stream string) {
	for n := range m.messages {
		if err := c.Send(m.t.Context(), to, numbered(stream, n)); err != nil {
			m.t.Error(err)
		}
	}
}

func (m *mix) reply(c *parley.Conn, stream string) {
	for n := range m.messages {
		if err := c.Reply(numbered(stream, n)); err != nil {
			m.t.Error(err)
		}
	}
}

func (m *mix) comeAndGo(c *parley.Conn) {
	for n := range m.messages {
		if err := c.Join(m.groups[n%len(m.groups)], nil); err != nil {
			m.t.Error(err)
		}
		if n%3 != 0 {
			c.Leave(m.groups[(n*7)%len(m.groups)])
		}
	}
}

// identify names a connection, again and again: another name is refused.
func (m *mix) identify(one *mixed) {
	for range m.messages {
		if err := one.conn.Identify(one.name, nil); err != nil {
			m.t.Error(err)
		}
		if told, ok := errors.AsType[*parley.Error](one.conn.Identify("eve", nil)); !ok || told.Code != parley.Conflict {
			m.t.Errorf("another name returned %v", told)
		}
	}
}

func (m *mix) clientSends(one *mixed) {
	for n := range m.messages {
		one.wire.send(text(string(numbered("client "+one.name, n).Data)))
	}
	one.wire.send(text("last"))
}

// ask looks at who is there: those who stay are, once each.
func (m *mix) ask() {
	for range m.messages / 10 {
		here := 0
		for member, err := range m.hub.Members(m.t.Context(), parley.Everyone) {
			if err != nil {
				m.t.Error(err)
			}
			here += member.Connections
		}
		if here < len(m.stay) {
			m.t.Errorf("%d members, want %d at least", here, len(m.stay))
		}
		if _, err := m.hub.Online(m.t.Context(), "0"); err != nil {
			m.t.Error(err)
		}
	}
}

// churn opens and ends connections.
func (m *mix) churn(s *site) {
	for n := range m.messages / 10 {
		w := s.open(m.t)
		w.send(text("churn|0"))
		if n%2 == 0 {
			_ = w.nc.Close()
		} else {
			reset(m.t, w)
		}
	}
}

// listenTo hears what is sent to an address until the function is called.
func (m *mix) listenTo(to parley.Address) (stop func()) {
	started, done, enough := make(chan struct{}), make(chan error, 1), errors.New("enough")
	heard := newMixed()
	options := &parley.ListenOptions{Queue: 1 << 16, Started: func() { close(started) }}
	go func() {
		done <- m.hub.Listen(m.t.Context(), to, options, func(message parley.Message) error {
			if string(message.Data) == "no more" {
				return enough
			}
			heard.take(string(message.Data))
			return nil
		})
	}()
	<-started
	return func() {
		if err := m.hub.Send(m.t.Context(), to, parley.Text("no more")); err != nil {
			m.t.Error(err)
		}
		if err := await(m.t, done, "Listen"); err != enough || heard.problem != "" {
			m.t.Errorf("Listen returned %v, and heard %q", err, heard.problem)
		}
	}
}

func newMixed() *mixed {
	return &mixed{last: make(map[string]int), got: make(map[string]int)}
}

// take holds a message to those of its stream before.
func (x *mixed) take(message string) {
	stream, number, found := strings.Cut(message, "|")
	n, err := strconv.Atoi(number)
	if !found || err != nil {
		return
	}
	if last, known := x.last[stream]; known && n <= last && stream != "churn" {
		x.problem = fmt.Sprintf("%s came after %d", message, last)
	}
	x.last[stream] = n
	x.got[stream]++
}

// listen is the client, until the end.
func (x *mixed) listen() {
	for {
		op, payload, err := x.wire.read()
		message := string(payload)
		if op == opPing {
			continue
		}
		if err != nil || op != opText {
			x.problem = fmt.Sprintf("%v after %s", err, inWords(op, payload))
			return
		}
		if message, x.problem = x.unmark(message); x.problem != "" {
			return
		}
		if message == "end" {
			return
		}
		x.take(message)
		if x.problem != "" {
			return
		}
	}
}

func (x *mixed) unmark(message string) (unmarked, problem string) {
	unmarked, marked := strings.CutPrefix(message, "*")
	if marked != x.marked {
		problem = message + " is not encoded as it should be"
	}
	return unmarked, problem
}

// check looks whether what must get to one did.
func (m *mix) check(one *mixed) {
	m.t.Helper()
	if one.problem != "" {
		m.t.Errorf("%s: %s", one.name, one.problem)
	}
	for _, other := range m.stay {
		client := m.messages
		if other == one {
			client = 0 // which is left out
		}
		for stream, want := range map[string]int{
			"all by " + other.name: m.messages,
			"client " + other.name: client,
		} {
			if got := one.got[stream]; got != want {
				m.t.Errorf("%s got %d messages of %q, want %d", one.name, got, stream, want)
			}
		}
	}
	if got := one.got["reply of "+one.name]; got != m.messages {
		m.t.Errorf("%s got %d replies, want %d", one.name, got, m.messages)
	}
}
