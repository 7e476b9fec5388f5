package parley

import (
	"context"
	"errors"

	"github.com/parley-rt/parley/internal/socket"
)

// dialect is what the consumers of one Handler have in common.
type dialect struct {
	encoder  Encoder // nil: a message's data is the frame's payload
	delivers bool    // consumers are Deliverers
	lost     undeliverable
}

// proto is what connections have in common that are sent the same frames: the
// kind of consumer, and whether messages are compressed.
type proto struct {
	*dialect
	compress func(payload []byte, use func(compressed []byte)) bool // deflate.Codec's; nil: they are not
}

func newProto(c Consumer) *proto {
	p := &proto{dialect: &dialect{}}
	p.encoder, _ = c.(Encoder)
	_, p.delivers = c.(Deliverer)
	return p
}

// frame encodes a message that the layer did not carry for the connections of p. Its
// error has the code BadRequest where that makes invalid text.
func (p *proto) frame(m Message) ([]byte, error) {
	m, err := p.encode(m)
	if p.encoder == nil {
		err = m.check()
	}
	if err != nil {
		return nil, err
	}
	return p.pack(m), nil
}

// encode turns a message into what is sent. Text that an Encoder made is valid.
func (d *dialect) encode(m Message) (encoded Message, err error) {
	if d.encoder == nil {
		return m, nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = errors.New(panicked("Encode", v))
		}
	}()
	encoded, err = d.encoder.Encode(m)
	if err = genuine(err); err == nil {
		err = encoded.check()
	}
	return encoded, err
}

// encodeFor is encode for connections that did not ask for the message. One that
// cannot be encoded, or whose Encode ends the goroutine, is logged and counted.
func (d *dialect) encodeFor(hub *Hub, m *Message) (encoded Message, ok bool) {
	if d.encoder == nil {
		return *m, true
	}
	why := endedGoroutine
	defer func() {
		if !ok {
			d.notEncoded(hub, m, why)
		}
	}()
	encoded, err := d.encode(*m)
	if err != nil {
		why = errorText(err)
		return encoded, false
	}
	return encoded, true
}

// local is the hub as its layer sees it.
type local struct{ hub *Hub }

// Deliver hands a message to the loops whose connections want it, encoded once
// for each kind of consumer, and to listeners.
func (l local) Deliver(ctx context.Context, e Envelope) error {
	var buffer [4]*topic
	topics, listeners := l.hub.table.lookup(e.To, buffer[:0])
	var coded encodings
	return l.publishAll(ctx, topics, listeners, &e, &coded)
}

// publishAll hands a message to topics, then to listeners. When an Encode ends the
// goroutine it goes on with the rest.
func (l local) publishAll(ctx context.Context, topics []*topic, listeners []*listener, e *Envelope, coded *encodings) (err error) {
	returned := false
	defer func() {
		if !returned {
			_ = l.publishAll(ctx, topics, listeners, e, coded)
		}
	}()
	for len(topics) > 0 && err == nil {
		t := topics[0]
		topics = topics[1:]
		err = l.publish(ctx, t, e, coded)
	}
	returned = true
	if err != nil {
		return err
	}
	for _, listener := range listeners {
		if !e.Cursor.IsZero() {
			listener.offerKept(*e)
		} else if !listener.offer(e.Message) {
			l.hub.missed.Add(1)
		}
	}
	return nil
}

// publish hands a message to the connections of one topic.
func (l local) publish(ctx context.Context, t *topic, e *Envelope, coded *encodings) error {
	post := socket.Post{Except: socket.ID(e.Except), More: e.More}
	if t.proto.delivers {
		m := e.Message
		post.Value, post.Size = &m, len(m.Data)
	} else {
		m, ok := coded.encode(l.hub, t.proto.dialect, &e.Message)
		if !ok {
			return nil
		}
		post.Frame = t.proto.pack(m)
	}
	var err error
	if e.Cursor.IsZero() {
		err = l.hub.engine.Publish(ctx, &t.Topic, post)
	} else {
		post.At, post.Prev = socket.Position(e.Cursor), e.Prev
		err = l.hub.engine.PublishKept(&t.Topic, post)
	}
	if errors.Is(err, socket.ErrClosed) { // a hub that closed has no members
		return nil
	}
	return err
}

// Reread sends whoever follows a log back to reading.
func (l local) Reread() {
	topics, listeners := l.hub.table.all()
	for _, t := range topics {
		l.hub.engine.Reread(&t.Topic)
	}
	for _, listener := range listeners {
		listener.reread()
	}
}

// LocalOnline reports whether a connection of this hub is a member.
func (l local) LocalOnline(of Address) bool { return l.hub.table.joined(of) }
