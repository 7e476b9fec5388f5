package parley

import (
	"context"
	"sync"

	"github.com/parley-rt/parley/internal/socket"
)

// A kept message that a client cannot take, because it is too large for it or breaks
// a rule of its own, must not end the device's connections for ever. A connection
// that the client ends with such a code, with messages to acknowledge, is noted. The
// device's next one is handed those messages one at a time, so that the first one
// which is not acknowledged is the one that the client rejects. Once it has done so
// maxRejections times the device's cursor moves past it: it is counted, logged, and
// the client's program is told as of any other lost message.

// maxRejections is how many connections may end with one message that none of them
// acknowledged. Others may be lost in between.
const maxRejections = 3

// maxRejecting bounds the devices that are remembered; beyond, one is forgotten, which
// costs it a few connections more.
const maxRejecting = 4096

// rejects reports whether a client's close code says that it could not take what it
// was sent (RFC 6455, section 7.4.1).
func (c CloseCode) rejects() bool {
	return c == CloseUnsupportedData || c == CloseInvalidData || c == CloseTooLarge
}

// rejections are those of the devices of one hub. They are not kept beyond it.
type rejections struct {
	mu sync.Mutex // guards of
	of map[deviceID]rejection
}

// deviceID names a device of a user.
type deviceID struct {
	of   Address
	name string
}

// rejection is what a device's connections ended with.
type rejection struct {
	at    Cursor // the first message behind it was not acknowledged
	until Cursor // the last one that was handed over
	last  Cursor // the last one that the last connection was handed
	times int    // of connections, none of which acknowledged it
}

// add notes a connection that ended with messages to acknowledge.
func (r *rejections) add(id deviceID, at, until Cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.of[id]
	if !ok || found.at != at {
		found = rejection{at: at}
	}
	found.until, found.last = ahead(until, found.until), until
	found.times++
	if r.of == nil {
		r.of = make(map[deviceID]rejection)
	}
	for other := range r.of {
		if ok || len(r.of) < maxRejecting {
			break
		}
		delete(r.of, other)
	}
	r.of[id] = found
}

// begins returns what is known of a device whose next connection begins at a place,
// and forgets what is over.
func (r *rejections) begins(id deviceID, at Cursor) (found rejection, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok = r.of[id]
	if ok && behind(found.until, at) != at || at == found.until {
		delete(r.of, id)
		return rejection{}, false
	}
	if found.at != at {
		found.times = 0
	}
	return found, ok
}

// forget forgets a device, whose message was given up.
func (r *rejections) forget(id deviceID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, id)
}

func (f *following) id() deviceID { return deviceID{f.member.topic.address(), f.deviceName()} }

// rejected notes that the client ended the connection with a code that rejects what
// it was sent. Only for Closing.
func (f *following) rejected() {
	if at, until := f.conn().Hub().table.unacknowledged(f), Cursor(f.Reached()); at != until && behind(until, at) == at {
		f.conn().Hub().rejections.add(f.id(), at, until)
	}
}

// unacknowledged returns how far the connection itself acknowledged.
func (t *table) unacknowledged(f *following) Cursor {
	_, unlock := t.claims(f.member.topic.address())
	defer unlock()
	return f.acked()
}

// beCareful has a connection begin with care, if one of its device was ended by what
// it was sent, and leaves out the message that it was ended by too often.
func (f *following) beCareful(ctx context.Context, b *beginning) error {
	hub := f.conn().Hub()
	found, ok := hub.rejections.begins(f.id(), b.from)
	if !ok {
		return nil
	}
	if found.times >= maxRejections {
		if err := f.giveUp(ctx, b, found.last); err != nil {
			return err
		}
	}
	b.how.Careful = true
	f.extra().careful = found.until
	return nil
}

// giveUp moves the device past the message that it is to be sent next, unless all up to
// the last one that was rejected are gone.
func (f *following) giveUp(ctx context.Context, b *beginning, last Cursor) error {
	hub, of := f.conn().Hub(), f.member.topic.address()
	page, err := hub.link.ReadAfter(ctx, of, b.at, PageLimit{Messages: 1, Bytes: 1})
	if err != nil {
		return err
	}
	if len(page.Messages) == 1 && page.Messages[0].Cursor.Epoch == last.Epoch && page.Messages[0].Cursor.Seq <= last.Seq {
		gone := b.lost + page.Lost
		if b.missed || page.Missed {
			hub.lost(gone)
		}
		b.at = page.Messages[0].Cursor
		b.how.At, b.how.Head = socket.Position(b.at), b.at == b.head
		b.missed, b.lost, b.gaveUp = true, gone+1, true
		b.known = true
		hub.link.Advance(of, f.deviceName(), b.at)
		hub.undeliverable.Add(1)
		hub.log.Warn("parley: a message was given up: the client ended its connections with it", "of", of,
			"device", f.deviceName(), "cursor", b.at, "bytes", len(page.Messages[0].Data), "connections", maxRejections)
	}
	hub.rejections.forget(f.id())
	return nil
}
