package socket

import (
	"runtime"
	"time"
)

type postKind uint8

const (
	postPublish postKind = iota
	postWrite
	postWriteKept
	postAwaitRoom // a goroutine waits to write
	postPong      // the answer to a ping
	postJoin
	postLeave
	postOpen
	postAccept
	postResume
	postClose
	postFail       // the peer broke the protocol: close, and read no more
	postPeerClosed // the peer's close frame arrived
	postReadEnd    // nothing more can be read
	postFlushed    // the outbox, which held our close frame, is written
	postBroken     // writing failed
	postDrained    // the outbox of one that waits to read is empty
	postRoom       // the handler has room again
	postFew        // few bytes are outside
	postPage       // a part of a log for one follower
	postHandled    // a handler is done with some values of a log
	postEnd        // there is no room for the unfinished message
	postPonged     // the peer answered a numbered ping
	postDo
)

// post is what a mailbox carries.
type post struct {
	kind   postKind
	more   bool // a batch goes on; see mailbox
	code   uint16
	conn   *Conn
	part   *part
	member *Membership
	data   []byte
	value  any
	size   int // bytes that value and page keep alive
	except ID
	at     Position // in a log; zero for what is not kept
	prev   uint64   // the Seq before it
	page   *Page
	reason string
	do     func()
}

// Loop owns its connections.
type Loop struct {
	mailbox
	engine  *Engine
	stop    chan struct{}
	stopped chan struct{}

	// Owned by the goroutine of run.
	wheel   wheel
	poller  poller
	in      inbound
	nodes   []node   // this round's output, chained by connection
	dirty   []*Conn  // connections with output
	pieces  [][]byte // a connection's output
	closing []closing
	stalled []stalled
	partial []*Conn // in the middle of a message
	askers  []*Conn // that may be about to read
	resting []*Membership
}

// maxNodes bounds what a round holds for its end, besides one message's receivers.
const maxNodes = 1 << 16

// keepNodes, keepPieces and keepPosts bound what a loop keeps between rounds. The
// first is more than most rounds need, or their lists would grow anew each time.
const (
	keepNodes  = 4 * maxNodes
	keepPieces = 1 << 10
	keepPosts  = 1 << 12
)

func newLoop(e *Engine) *Loop {
	l := &Loop{engine: e, stop: make(chan struct{}), stopped: make(chan struct{})}
	l.mailbox.init(e.cfg.MailboxBytes)
	l.wheel.init(e.cfg)
	return l
}

// run is the loop's goroutine.
func (l *Loop) run() {
	defer close(l.stopped)
	ticker := time.NewTicker(l.wheel.tick)
	defer ticker.Stop()
	var posts []post
	for {
		select {
		case <-l.wake:
			// Whoever is about to post does so first, and shares the round. Where
			// there is nobody this returns at once.
			runtime.Gosched()
		case <-ticker.C:
			posts = l.catchUp(posts)
			l.beat(time.Now())
		case <-l.stop:
			l.shutdown()
			return
		}
		posts = l.round(posts)
	}
}

// maxCatchUp bounds the rounds before a beat.
const maxCatchUp = 64

// catchUp takes what came until now, so that nobody is judged by the time that the
// process itself stood still. Those that have more than one read took were heard of.
func (l *Loop) catchUp(posts []post) []post {
	for range maxCatchUp {
		posts = l.takePosts(posts)
		l.poller.poll(l)
		l.flush()
		if !l.poller.full {
			break
		}
	}
	return posts
}

// round takes what is in the mailbox and what the sockets have, and sends what
// comes of it. It returns posts, empty, for the next round.
func (l *Loop) round(posts []post) []post {
	posts = l.takePosts(posts)
	l.poller.goOn(l)
	l.poller.poll(l)
	l.flush()
	return posts
}

// takePosts does what is in the mailbox, and returns posts, empty.
func (l *Loop) takePosts(posts []post) []post {
	posts, gaps := l.take(posts[:0])
	l.apply(posts)
	clear(posts)
	l.lost(gaps)
	if cap(posts) > keepPosts {
		return nil
	}
	return posts
}

// apply takes posts in order. Neighbours to the same topic become one shared
// buffer. What a round may hold for its end is bounded: beyond, it is sent at once.
func (l *Loop) apply(posts []post) {
	for len(posts) > 0 {
		n := 1
		if p := &posts[0]; p.kind == postPublish {
			for n < len(posts) && p.joins(&posts[n]) {
				n++
			}
			l.publish(posts[:n])
		} else {
			l.handle(p)
		}
		posts = posts[n:]
		if len(l.nodes) > maxNodes {
			l.flush()
		}
	}
}

// joins reports whether two neighbours can become one buffer.
func (p *post) joins(next *post) bool {
	return next.kind == postPublish && next.part == p.part && next.except == p.except && next.kept() == p.kept()
}

func (p *post) kept() bool { return p.at != Position{} }

func (l *Loop) handle(p *post) {
	c := p.conn
	switch p.kind {
	case postWrite:
		l.output(c, p.data)
		l.took(c, len(p.data))
	case postWriteKept:
		l.writeKept(c, p.data)
		l.took(c, len(p.data))
	case postAwaitRoom:
		l.roomAwaited(c, p.value.(chan error))
	case postPong:
		l.output(c, p.data)
	case postJoin:
		l.join(p.member)
	case postLeave:
		l.leave(p.member)
	case postOpen:
		l.open(c)
	case postAccept:
		l.accept(c)
	case postResume:
		l.resume(c, p.data)
	case postClose:
		l.closeConn(c, p.code, p.reason)
	case postFail:
		l.failConn(c, p.code, p.reason)
	case postPeerClosed:
		l.peerGone(c, p.code, p.reason)
	case postReadEnd:
		l.finalize(c, codeAbnormal)
	case postFlushed:
		l.closeFlushed(c)
	case postBroken:
		l.broken(c, p.code)
	case postDrained:
		l.drained(c)
	case postRoom:
		l.room(c)
	case postFew:
		l.asks(c)
	case postPage:
		l.tookPage(p)
		l.page(p.member, p.page)
	case postHandled:
		l.handled(p.member, p.at)
	case postPonged:
		l.ponged(c, uint8(p.code))
	case postEnd:
		if c.state != stateClosed {
			c.io.endPart(l, c)
		}
	case postDo:
		p.do()
	}
}

// follow does what a loop is told of what was read.
func (l *Loop) follow(in *inbound) {
	for i := range in.posts {
		l.handle(&in.posts[i])
	}
	in.reset()
}

// open takes a connection in. One that cannot be is over at once.
func (l *Loop) open(c *Conn) {
	c.state = stateOpen
	err := l.wheel.add(c)
	if err == nil {
		if err = l.poller.add(l, c); err == nil {
			return
		}
		l.wheel.remove(c)
	}
	c.state = stateClosed
	c.handler.Closing()
	c.io.close(l, c)
	c.handler.Closed(codeAbnormal, err)
}

func (l *Loop) accept(c *Conn) {
	if o := c.out.Load(); c.state != stateClosed && o != nil && o.held {
		o.held = false
		l.drain(c, o)
	}
}

// resume has a connection read, as long as that can be of use.
func (l *Loop) resume(c *Conn, data []byte) {
	if c.state != stateClosed && !c.peerClosed {
		c.io.resume(l, c, data)
	}
}

// publish hands a run of posts to the members of their topic.
func (l *Loop) publish(run []post) {
	if run[0].kept() {
		l.publishKept(run)
		return
	}
	members := run[0].part.members
	if len(members) == 0 {
		return
	}
	except := run[0].except
	if run[0].value != nil {
		for i := range run {
			l.deliver(&run[i])
		}
		return
	}
	data := joinFrames(run)
	for _, m := range members {
		c := m.conn
		switch {
		case except != (ID{}) && c.ID == except:
		case l.crowds(c, len(data)):
			l.engine.stats.Dropped.Add(int64(len(run)))
		default:
			l.output(c, data)
		}
	}
}

func joinFrames(run []post) []byte {
	if len(run) == 1 {
		return run[0].data
	}
	size := 0
	for i := range run {
		size += len(run[i].data)
	}
	data := make([]byte, 0, size)
	for i := range run {
		data = append(data, run[i].data...)
	}
	return data
}

// deliver gives a value to the handlers of the members, from the last to the
// first, since one that is too slow leaves and is swapped out meanwhile.
func (l *Loop) deliver(p *post) {
	except := p.except
	for i := len(p.part.members) - 1; i >= 0; i-- {
		c := p.part.members[i].conn
		if c.state != stateOpen || except != (ID{}) && c.ID == except {
			continue
		}
		if l.passes(c, p.size) {
			l.engine.stats.Dropped.Add(1)
			continue
		}
		if !l.isFull(c) {
			if l.give(c, p.value, p.size) {
				continue
			}
			if c.followers != nil { // the handler will say that it has room
				c.followers.starved = true
			}
		}
		if l.engine.cfg.DropWhenSlow {
			l.engine.stats.Dropped.Add(1)
		} else {
			l.tooSlow(c)
		}
	}
}
