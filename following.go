package parley

import (
	"context"
	"slices"

	"github.com/parley-rt/parley/internal/fault"
	"github.com/parley-rt/parley/internal/socket"
)

// following is what a membership of a kept address needs besides: it follows the
// address' log.
type following struct {
	socket.Follower
	member *membership
	wishes *wishes    // nil for none; never changed
	pages  *pages     // nil where pages are handed over as they are; of begin, then of the reader
	next   *following // in the hub's queue of readers

	// Guarded by the claims of the address' shard.
	share *share // of its device; nil for the shared one until it has a place
	holds *claim
}

// wishes are those of JoinOptions that are of use later.
type wishes struct {
	missed func(Missed) // or nil
	device string
}

// pages is what is to be done about pages.
type pages struct {
	untold  *Missed // a gap before the first one
	told    Cursor  // where the last gap ends that was told
	skip    skip    // what need not be read
	careful Cursor  // up to there one message a page is read
}

// extra returns what is to be done about pages, of which there was nothing perhaps.
func (f *following) extra() *pages {
	if f.pages == nil {
		f.pages = &pages{}
	}
	return f.pages
}

// newFollowing makes a membership that follows its address' log, which the loop
// does not know yet.
func newFollowing(c *Conn, m *membership, options *JoinOptions) *following {
	f := &following{member: m}
	if options.Missed != nil || options.Device != "" {
		f.wishes = &wishes{options.Missed, options.Device}
	}
	f.From(f)
	f.Acks = m.topic.kind == kindUser && options.After.IsZero()
	m.Follow(&f.Follower, &c.sock, &m.topic.Topic)
	return f
}

// conn returns the connection.
func (f *following) conn() *Conn { return (*Conn)(f.member.Handler().(*events)) }

// Read queues the membership for a page. The loop calls it.
func (f *following) Read() { f.conn().Hub().readers.add(f) }

// deviceName returns the name of the named cursor.
func (f *following) deviceName() string {
	if f.wishes == nil {
		return ""
	}
	return f.wishes.device
}

// acked returns how far the connection acknowledged. Called with the shard's claims
// locked, as what follows is.
func (f *following) acked() Cursor {
	if f.share == nil {
		return Cursor{}
	}
	return f.share.acked
}

// take makes the connection one of a device.
func (f *following) take(d *device) {
	if f.share == nil {
		f.share = &share{}
	}
	if f.share.of != d {
		d.n++
	}
	f.share.of = d
}

// acknowledged is of the claim: what needs no acknowledgement counts as had once it
// was handed over, and so does what another connection took over.
func (f *following) acknowledged() Cursor {
	if f.acks() {
		return behind(f.acked(), Cursor(f.Reached()))
	}
	return Cursor(f.Reached())
}

// acks reports whether pongs acknowledge its messages, as those of a device.
func (f *following) acks() bool { return f.Acks }

func (f *following) claim() **claim { return &f.holds }

// tells reports whether the program wants to know of gaps.
func (f *following) tells() bool { return f.wishes != nil && f.wishes.missed != nil }

// overdue tells the program that the claim ended.
func (f *following) overdue(Cursor) {
	if f.tells() {
		f.conn().notify(&notice{of: f, missed: Missed{Of: f.member.topic.address(), Overdue: true}})
	}
}

// beginning says where messages begin.
type beginning struct {
	how    socket.Following
	at     Cursor // what messages come behind, also where they begin with the oldest
	from   Cursor // the same, zero for the oldest, and before a message that was given up
	missed bool
	lost   int64 // how many messages
	gaveUp bool  // the message that is missed was given up
	head   Cursor
	known  bool // the layer knows the device
	isNew  bool // the device needs a place, or it would begin behind what others are sent meanwhile
}

// begin has messages flow, from where the options say.
func (f *following) begin(ctx context.Context, options *JoinOptions, mine *joining) error {
	b, err := f.start(ctx, options)
	if err == nil && b.isNew {
		err = f.conn().Hub().link.Introduce(ctx, f.member.topic.address(), f.deviceName(), b.at)
	}
	if err != nil {
		return err
	}
	hub := f.conn().Hub()
	if f.acks() {
		b.from = Cursor(b.how.At)
		if err := f.beCareful(ctx, &b); err != nil {
			return err
		}
		if past := hub.table.begins(f, &b); past != (skip{}) {
			f.extra().skip = past
			b.skips(past)
		}
	}
	if b.missed && !b.gaveUp {
		hub.lost(b.lost)
	}
	if options.Joined != nil {
		hub.joins.end(joinID{f.conn(), f.member.topic.address()}, mine, nil) // or a Join in Joined would wait for itself
		options.Joined(b.at, b.missed)
		// What it replied within Connect is put off, and messages follow it.
		if f.conn().later(func() { f.conn().report("join", f.member.Begin(b.how)) }) {
			return nil
		}
	}
	if options.Joined == nil { // else Joined told
		f.tellGap(&b)
	}
	return f.member.Begin(b.how)
}

// tellGap has the program told of a gap before the first message.
func (f *following) tellGap(b *beginning) {
	if !b.missed || !f.tells() {
		return
	}
	gap := Missed{Of: f.member.topic.address(), Cursor: b.at, Messages: b.lost}
	if b.how.Head { // no page follows
		f.conn().notify(&notice{of: f, missed: gap})
	} else {
		f.extra().untold = &gap
	}
}

// start finds out where messages begin.
func (f *following) start(ctx context.Context, options *JoinOptions) (b beginning, err error) {
	link, of := f.conn().Hub().link, f.member.topic.address()
	b.how = socket.Following{}
	head, err := link.Head(ctx, of)
	if err != nil {
		return b, err
	}
	b.head = head
	switch b.at = options.After; {
	case !b.at.IsZero():
		if fault.ResumeOffByOne() {
			b.at.Seq++
		}
	case of.kind == kindUser:
		b.how.Pongs = f.acks()
		if err = f.resume(ctx, &b, head.Epoch); err != nil {
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
	// A user of whom the layer knows no device was handed nothing of what is gone.
	b.missed, b.lost = page.Missed || page.Lost > 0, page.Lost
	switch {
	case len(page.Messages) == 0:
		b.at = page.Cursor
		b.how.At, b.how.Head = socket.Position(b.at), true
	case b.missed || b.at.IsZero():
		first := &page.Messages[0]
		b.at, b.how.At = Cursor{first.Cursor.Epoch, first.Prev}, socket.Position{}
	}
	return b, nil
}

// resume finds how far the connection's device got, or the user's furthest one
// in the log's epoch where it is new; zero where there is none.
func (f *following) resume(ctx context.Context, b *beginning, epoch uint64) error {
	cursors, err := f.conn().Hub().link.Cursors(ctx, f.member.topic.address())
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
	b.isNew = f.deviceName() != "" || len(cursors) > 0
	return nil
}

// pageMessages and pageBytes bound what is read of a log at a time.
const (
	pageMessages = 256
	pageBytes    = 64 << 10
)

// pageLimit bounds a page so that queues have room for it, and for other things.
func (f *following) pageLimit() PageLimit {
	l := &f.conn().Hub().opts.Limits
	limit := PageLimit{pageMessages, min(pageBytes, max(1, l.SendQueueBytes/4))}
	if f.member.topic.proto.delivers {
		limit.Messages = min(pageMessages, max(1, l.DeliverQueue/4))
	}
	if f.pages != nil && Cursor(f.At()) != f.pages.careful && behind(f.pages.careful, Cursor(f.At())) == Cursor(f.At()) {
		limit.Messages = 1
	}
	return limit
}

// turn reads a page, and has the loop hand it over.
func (f *following) turn() {
	hub, of := f.conn().Hub(), f.member.topic.address()
	if hub.cut.Err() != nil { // nobody gets it
		return
	}
	page, err := hub.link.ReadAfter(hub.cut, of, Cursor(f.At()), f.pageLimit())
	hub.readers.note(hub, err)
	if err != nil {
		f.answer(&socket.Page{Failed: true})
		return
	}
	gap := f.gap(&page)
	f.skipSome(&page)
	p := &socket.Page{To: socket.Position(page.Cursor), More: page.More}
	f.member.topic.proto.makeRoom(p, page.Messages)
	defer f.handOver(p, gap) // also when an Encode ends the goroutine
	f.fill(p, page.Messages)
}

// fill adds messages to a page. When an Encode ends the goroutine it adds the rest.
func (f *following) fill(p *socket.Page, messages []Envelope) {
	defer func() {
		if len(messages) > 0 {
			f.fill(p, messages)
		}
	}()
	for len(messages) > 0 {
		e := &messages[0]
		messages = messages[1:]
		if e.Except != f.conn().ID() {
			f.add(p, &e.Message)
		}
	}
}

// handOver has the loop hand a page over, behind what the program is told of the gap
// before it.
func (f *following) handOver(p *socket.Page, gap *Missed) {
	if gap != nil {
		f.conn().notify(&notice{of: f, missed: *gap, page: p})
		return
	}
	f.answer(p)
}

// gap returns what the program is to be told before a page, nil where there is nothing.
func (f *following) gap(page *Page) (gap *Missed) {
	if f.pages != nil {
		gap, f.pages.untold = f.pages.untold, nil
	}
	if !page.Missed {
		return gap
	}
	missed := missedBy(f.member.topic.address(), page)
	if !f.isNews(&missed) {
		return nil
	}
	f.extra().told = missed.Cursor
	f.conn().Hub().lost(missed.Messages)
	if !f.tells() {
		return nil
	}
	return &missed
}

// isNews takes out of a gap what is no loss, or was told before: a page that the loop
// had no room for is read again. It reports whether anything is left.
func (f *following) isNews(gap *Missed) bool {
	if f.pages == nil || gap.Messages == 0 {
		return f.pages == nil || gap.Cursor != f.pages.told
	}
	from, to := Cursor(f.At()), gap.Cursor
	if told := f.pages.told; told.Epoch == to.Epoch && told.Seq > from.Seq {
		gap.Messages -= overlap(skip{from, to}, skip{from, told})
		from = told
	}
	gap.Messages -= overlap(skip{from, to}, f.pages.skip)
	return gap.Messages > 0
}

// overlap returns how many places two parts of a log share.
func overlap(a, b skip) int64 {
	if a.to.Epoch != b.to.Epoch {
		return 0
	}
	from, to := max(a.until.Seq, b.until.Seq), min(a.to.Seq, b.to.Seq)
	return int64(to - min(from, to))
}

// skips takes out of the gap before the first message what is no loss.
func (b *beginning) skips(past skip) {
	if b.lost == 0 || b.gaveUp {
		return
	}
	b.lost -= overlap(skip{Cursor{b.at.Epoch, b.at.Seq - uint64(b.lost)}, b.at}, past)
	b.missed = b.lost > 0
}

// skipSome takes out of a page what may be skipped, and has the next one begin behind it.
func (f *following) skipSome(page *Page) {
	if f.pages == nil || f.pages.skip == (skip{}) {
		return
	}
	past := f.pages.skip
	if page.Cursor.Epoch == past.to.Epoch {
		if page.Cursor.Seq < past.until.Seq {
			return
		}
		page.Messages = slices.DeleteFunc(page.Messages, func(e Envelope) bool {
			return e.Cursor.Seq > past.until.Seq && e.Cursor.Seq <= past.to.Seq
		})
		if page.Cursor.Seq < past.to.Seq {
			page.Cursor, page.More = past.to, true
		}
	}
	f.pages.skip = skip{}
}

// answer fails only where the connection is over.
func (f *following) answer(p *socket.Page) {
	f.conn().report("page", f.member.Turn(f.conn().Hub().cut, p))
}

// add puts a message into a page. One that cannot be encoded is left out.
func (f *following) add(p *socket.Page, m *Message) {
	proto := f.member.topic.proto
	if proto.delivers {
		p.Values = append(p.Values, socket.PageValue{Value: m, Size: len(m.Data), At: socket.Position(m.Cursor)})
		p.Bytes += len(m.Data)
		return
	}
	if encoded, ok := proto.encodeFor(f.conn().Hub(), m); ok {
		p.Frames = proto.appendFrame(p.Frames, encoded)
	}
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
