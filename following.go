package parley

import (
	"context"
	"time"

	"github.com/parley-rt/parley/internal/fault"
	"github.com/parley-rt/parley/internal/socket"
)

// following is what a membership of a kept address needs besides: it follows the
// address' log.
type following struct {
	socket.Follower
	conn   *Conn
	member *membership
	device *device    // nil for the one without a name until it is known
	next   *following // in the hub's queue of readers
}

// device is one of a user's devices while it is connected. The layer forgets a cursor
// that was not moved for as long as messages are kept, so while it is connected, and
// when it leaves, it is moved to where it is.
type device struct {
	name  string
	at    Cursor // how far it is known to have got; the loop's once messages flow
	moved int64  // when Beat moved it, Unix time in nanoseconds
}

// newFollowing makes a membership that follows its address' log, which the loop
// does not know yet.
func newFollowing(c *Conn, m *membership, options *JoinOptions) *following {
	f := &following{conn: c, member: m}
	if options.Device != "" {
		f.device = &device{name: options.Device}
	}
	m.Follow(&f.Follower, &c.sock, &m.topic.Topic)
	return f
}

// Read queues the membership for a page. The loop calls it.
func (f *following) Read() { f.conn.Hub().readers.add(f) }

// deviceName returns the name of the named cursor.
func (f *following) deviceName() string {
	if f.device == nil {
		return ""
	}
	return f.device.name
}

// isAt notes how far the device is known to have got.
func (f *following) isAt(at Cursor) {
	if f.device == nil {
		f.device = &device{}
	}
	isFirst := f.device.at.IsZero()
	f.device.at = at
	if isFirst {
		f.conn.setDevice(f.device)
	}
}

// Acked moves the device's cursor. The loop calls it.
func (f *following) Acked(at socket.Position) {
	f.isAt(Cursor(at))
	f.device.move(f.conn.Hub().link, f.member.topic.address())
}

// Beat moves the cursor of a quiet device to where it is, long before it would be
// forgotten. The loop calls it.
func (f *following) Beat(now time.Time) {
	hub, of, d := f.conn.Hub(), f.member.topic.address(), f.device
	if at := now.UnixNano(); d != nil && at-d.moved >= int64(hub.keep.find(of).Age/4) {
		d.moved = at
		d.move(hub.link, of)
	}
}

// move has the layer know the device where it is.
func (d *device) move(link Link, of Address) { link.Advance(of, d.name, d.at) }

// beginning says where messages begin.
type beginning struct {
	how    socket.Following
	at     Cursor // what messages come behind, also where they begin with the oldest
	missed bool
	known  bool // the layer knows the device
	isNew  bool // the device needs a place, or it would begin behind what others are sent meanwhile
}

// begin has messages flow, from where the options say.
func (f *following) begin(options *JoinOptions) error {
	ctx := f.conn.Context()
	b, err := f.start(ctx, options)
	if err == nil && b.isNew {
		err = f.conn.Hub().link.Introduce(ctx, f.member.topic.address(), f.deviceName(), b.at)
	}
	if err != nil {
		return err
	}
	f.Began = b.how.Head
	if b.known || b.isNew {
		f.isAt(b.at)
	}
	if options.Joined != nil {
		options.Joined(b.at, b.missed)
		// What it replied within Connect is put off, and messages follow it.
		if f.conn.later(func() { f.conn.report("join", f.member.Begin(b.how)) }) {
			return nil
		}
	}
	return f.member.Begin(b.how)
}

// start finds out where messages begin.
func (f *following) start(ctx context.Context, options *JoinOptions) (b beginning, err error) {
	link, of := f.conn.Hub().link, f.member.topic.address()
	b.how = socket.Following{Source: f, Values: f.member.topic.proto.delivers}
	head, err := link.Head(ctx, of)
	if err != nil {
		return b, err
	}
	switch b.at = options.After; {
	case !b.at.IsZero():
		if fault.ResumeOffByOne() {
			b.at.Seq++
		}
	case of.kind == kindUser:
		b.how.Pongs = true
		if err = f.acknowledged(ctx, &b, head.Epoch); err != nil {
			return b, err
		}
	default:
		b.at = head
	}
	b.how.At, b.how.Head = socket.Position(b.at), b.at == head
	unasked := options.Joined == nil && !b.at.IsZero() // nobody asks what the first page will tell
	if stranger := b.isNew && b.at.Epoch != head.Epoch; b.how.Head || unasked && !stranger {
		return b, nil
	}
	page, err := link.ReadAfter(ctx, of, b.at, PageLimit{Messages: 1, Bytes: 1})
	if err != nil {
		return b, err
	}
	b.missed = page.Missed
	switch {
	case len(page.Messages) == 0:
		b.at = page.Cursor
		b.how.At, b.how.Head = socket.Position(b.at), true
	case page.Missed || b.at.IsZero():
		first := &page.Messages[0]
		b.at, b.how.At = Cursor{first.Cursor.Epoch, first.Prev}, socket.Position{}
	}
	return b, nil
}

// acknowledged finds how far the connection's device got, or the user's furthest one
// in the log's epoch where it is new; zero where there is none.
func (f *following) acknowledged(ctx context.Context, b *beginning, epoch uint64) error {
	cursors, err := f.conn.Hub().link.Cursors(ctx, f.member.topic.address())
	if err != nil {
		return err
	}
	if b.at, b.known = cursors[f.deviceName()]; b.known {
		return nil
	}
	for _, c := range cursors {
		if ours, best := c.Epoch == epoch, b.at.Epoch == epoch; ours && !best || ours == best && c.Seq > b.at.Seq {
			b.at = c
		}
	}
	b.isNew = f.device != nil || len(cursors) > 0
	return nil
}

// pageMessages and pageBytes bound what is read of a log at a time.
const (
	pageMessages = 256
	pageBytes    = 64 << 10
)

// pageLimit bounds a page so that queues have room for it, and for other things.
func (h *Hub) pageLimit(p *proto) PageLimit {
	l := &h.opts.Limits
	limit := PageLimit{pageMessages, min(pageBytes, max(1, l.SendQueueBytes/4))}
	if p.delivers {
		limit.Messages = min(pageMessages, max(1, l.DeliverQueue/4))
	}
	return limit
}

// turn reads a page, and has the loop hand it over.
func (f *following) turn() {
	hub, of := f.conn.Hub(), f.member.topic.address()
	if hub.cut.Err() != nil { // nobody gets it
		return
	}
	page, err := hub.link.ReadAfter(hub.cut, of, Cursor(f.At()), hub.pageLimit(f.member.topic.proto))
	hub.readers.note(hub, err)
	if err != nil {
		f.answer(&socket.Page{Failed: true})
		return
	}
	if page.Missed && f.Began { // a log that was trimmed before is no loss of ours
		hub.trimmed.Add(1)
	}
	f.Began = true
	p := &socket.Page{To: socket.Position(page.Cursor), More: page.More}
	f.member.topic.proto.makeRoom(p, page.Messages)
	for i := range page.Messages {
		if e := &page.Messages[i]; e.Except != f.conn.ID() {
			f.add(p, &e.Message)
		}
	}
	f.answer(p)
}

// answer fails only where the connection is over.
func (f *following) answer(p *socket.Page) {
	f.conn.report("page", f.member.Turn(f.conn.Hub().cut, p))
}

// add puts a message into a page. One that cannot be encoded is left out.
func (f *following) add(p *socket.Page, m *Message) {
	proto := f.member.topic.proto
	if proto.delivers {
		p.Values = append(p.Values, socket.PageValue{Value: m, At: socket.Position(m.Cursor)})
		p.Bytes += len(m.Data)
		return
	}
	encoded, err := proto.encode(*m)
	if err != nil {
		proto.notEncoded(f.conn.Hub(), m.To, err)
		return
	}
	p.Frames = proto.appendFrame(p.Frames, encoded)
}

// frameHeader is the most that a frame is longer than its message.
const frameHeader = 10

// makeRoom has a page take messages without growing, if they go out as they are.
func (p *proto) makeRoom(page *socket.Page, messages []Envelope) {
	switch {
	case p.delivers:
		page.Values = make([]socket.PageValue, 0, len(messages))
	case p.compress == nil:
		size := 0
		for i := range messages {
			size += len(messages[i].Data) + frameHeader
		}
		page.Frames = make([]byte, 0, size)
	}
}

func (p *proto) notEncoded(hub *Hub, to Address, err error) {
	hub.log.Error("parley: message not encoded", "to", to, "err", err)
}
