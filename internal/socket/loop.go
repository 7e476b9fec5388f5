package socket

import (
	"bytes"
	"time"
)

type postKind uint8

const (
	postPublish postKind = iota
	postWrite
	postJoin
	postLeave
	postOpen
	postAccept
	postClose
	postFail       // the peer broke the protocol: close, and read no more
	postPeerClosed // the peer's close frame arrived
	postReadEnd    // nothing more can be read
	postFlushed    // the outbox, which held our close frame, is written
	postBroken     // writing failed
	postDo
)

// post is what a mailbox carries.
type post struct {
	kind   postKind
	more   bool // a batch goes on; see mailbox
	code   uint16
	conn   *Conn
	topic  *Topic
	data   []byte
	value  any
	size   int // bytes that value keeps alive
	except ID
	reason string
	do     func()
}

// Loop owns the memberships and the write side of its connections.
type Loop struct {
	mailbox
	engine  *Engine
	index   int
	stop    chan struct{}
	stopped chan struct{}

	// Owned by the goroutine of run.
	wheel   wheel
	nodes   []node  // this round's output, chained by connection
	dirty   []*Conn // connections with output
	scratch []byte  // a connection's output, joined
	attempt attempt
	closing []closing // by deadline
}

// node is one piece of a connection's output in a round.
type node struct {
	data []byte // whole frames, shared between receivers
	next int32  // index of the next one, from 1
}

// keepNodes and keepPosts bound what a loop keeps between rounds.
const (
	keepNodes   = 1 << 16
	keepPosts   = 1 << 12
	scratchSize = 64 << 10
)

func newLoop(e *Engine, index int) *Loop {
	l := &Loop{engine: e, index: index, stop: make(chan struct{}), stopped: make(chan struct{})}
	l.mailbox.init(e.cfg.MailboxBytes)
	l.attempt.init()
	l.wheel.init(e.cfg)
	l.scratch = make([]byte, 0, scratchSize)
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
		case <-ticker.C:
			l.beat(time.Now())
		case <-l.stop:
			l.shutdown()
			return
		}
		posts = l.take(posts[:0])
		l.apply(posts)
		l.flush()
		clear(posts)
		if cap(posts) > keepPosts {
			posts = nil
		}
	}
}

// apply takes a round's posts in order. Neighbours to the same topic become
// one shared buffer.
func (l *Loop) apply(posts []post) {
	for len(posts) > 0 {
		n := 1
		if p := &posts[0]; p.kind == postPublish {
			for n < len(posts) && posts[n].kind == postPublish && posts[n].topic == p.topic && posts[n].except == p.except {
				n++
			}
			l.publish(posts[:n])
		} else {
			l.handle(p)
		}
		posts = posts[n:]
	}
}

func (l *Loop) handle(p *post) {
	c := p.conn
	switch p.kind {
	case postWrite:
		l.output(c, p.data)
	case postJoin:
		l.join(c, p.topic)
	case postLeave:
		l.leave(c, p.topic)
	case postOpen:
		c.state = stateOpen
		l.wheel.add(c)
	case postAccept:
		if c.state != stateClosed {
			l.startOutbox(c, c.out.Load())
		}
	case postClose:
		l.closeConn(c, p.code, p.reason)
	case postFail:
		l.failConn(c, p.code, p.reason)
	case postPeerClosed:
		l.peerGone(c, p.code)
	case postReadEnd:
		l.finalize(c, codeAbnormal)
	case postFlushed:
		l.closeFlushed(c)
	case postBroken:
		l.broken(c, p.code)
	case postDo:
		p.do()
	}
}

// publish hands a run of posts to the members of their topic.
func (l *Loop) publish(run []post) {
	members := run[0].topic.parts[l.index].members
	if len(members) == 0 {
		return
	}
	except := run[0].except
	if run[0].value != nil {
		for i := range run {
			l.deliver(run[i].topic, run[i].value, except)
		}
		return
	}
	data := joinFrames(run)
	for i := range members {
		if c := members[i].conn; except == (ID{}) || c.ID != except {
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
func (l *Loop) deliver(t *Topic, value any, except ID) {
	members := t.parts[l.index].members
	for i := len(members) - 1; i >= 0; i-- {
		c := members[i].conn
		if c.state != stateOpen || except != (ID{}) && c.ID == except || c.handler.Deliver(value) {
			continue
		}
		if l.engine.cfg.DropWhenSlow {
			l.engine.stats.Dropped.Add(1)
		} else {
			l.tooSlow(c)
		}
	}
}

// output adds whole frames to what c is sent at the end of the round.
func (l *Loop) output(c *Conn, data []byte) {
	if c.state != stateOpen || c.broken {
		return
	}
	l.nodes = append(l.nodes, node{data: data})
	at := int32(len(l.nodes))
	if c.head == 0 {
		c.head = at
		l.dirty = append(l.dirty, c)
	} else {
		l.nodes[c.tail-1].next = at
	}
	c.tail = at
}

// flush ends a round: one write for each connection with output.
func (l *Loop) flush() {
	for _, c := range l.dirty {
		l.flushConn(c)
	}
	clear(l.dirty)
	clear(l.nodes)
	l.dirty, l.nodes = l.dirty[:0], l.nodes[:0]
	if cap(l.nodes) > keepNodes {
		l.dirty, l.nodes = nil, nil
	}
}

func (l *Loop) flushConn(c *Conn) {
	at := c.head
	c.head, c.tail = 0, 0
	if at == 0 {
		return
	}
	if n := l.nodes[at-1]; n.next == 0 {
		l.write(c, n.data, false)
	} else {
		l.flushChain(c, at)
	}
}

// flushChain writes several pieces as one, as far as they fit the scratch
// buffer.
func (l *Loop) flushChain(c *Conn, at int32) {
	l.scratch = l.scratch[:0]
	for ; at != 0; at = l.nodes[at-1].next {
		data := l.nodes[at-1].data
		if len(data) > scratchSize-len(l.scratch) {
			l.write(c, l.scratch, true)
			l.scratch = l.scratch[:0]
		}
		if len(data) > scratchSize {
			l.write(c, data, false)
		} else {
			l.scratch = append(l.scratch, data...)
		}
	}
	l.write(c, l.scratch, true)
}

// write sends whole frames: directly where nothing is queued for c, and what
// the kernel refuses through an outbox. Borrowed memory is copied before it is
// queued.
func (l *Loop) write(c *Conn, data []byte, borrowed bool) {
	if len(data) == 0 || c.broken || c.state != stateOpen {
		return
	}
	n := 0
	o := c.out.Load()
	if o == nil {
		var err error
		if n, err = c.transport.tryWrite(l, data); err != nil {
			l.broken(c, codeAbnormal)
			return
		}
		if n == len(data) {
			return
		}
	}
	cut := cutFrames(data, n) - n // a frame that was begun must go on
	shared := len(data)
	if data = data[n:]; borrowed {
		data = bytes.Clone(data)
		shared = len(data)
	}
	l.enqueue(c, o, data[:cut], data[cut:], shared)
}

// enqueue puts in the outbox o, nil where there is none yet, the rest of a
// frame that was begun, whatever the bound, and of the frames what fits. Both
// are pieces of a buffer of so many shared bytes.
func (l *Loop) enqueue(c *Conn, o *outbox, begun, frames []byte, shared int) {
	fresh := o == nil
	if fresh {
		o = &outbox{}
		o.add(piece(begun, shared), false)
	}
	rest, ok := o.offer(frames, l.engine.cfg.QueueBytes, shared)
	if !ok { // the writer ended meanwhile
		l.write(c, frames, false)
		return
	}
	if fresh {
		l.startOutbox(c, o)
	}
	if len(rest) == 0 {
		return
	}
	if l.engine.cfg.DropWhenSlow {
		l.engine.stats.Dropped.Add(int64(countFrames(rest)))
	} else {
		l.tooSlow(c)
	}
}

// startOutbox makes the write side of c a writer goroutine's until o is empty.
func (l *Loop) startOutbox(c *Conn, o *outbox) {
	c.out.Store(o)
	l.engine.spawn(func() { c.drain(o) })
}

// tooSlow closes a connection whose queue is full.
func (l *Loop) tooSlow(c *Conn) {
	l.engine.stats.SlowClosed.Add(1)
	l.closeConn(c, l.engine.cfg.SlowCloseCode, "too slow")
}
