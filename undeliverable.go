package parley

import "slices"

import "sync"

// undeliverable are the kept messages that could not be encoded most recently. Every
// connection that reads the log meets them again: they are logged and counted once.
type undeliverable struct {
	mu     sync.Mutex // guards what follows
	recent []logPlace // a ring, once it is full
	next   int        // the oldest of the ring
}

// logPlace names one kept message.
type logPlace struct {
	of Address
	at Cursor
}

// maxUndeliverable bounds how many are remembered. A message that is read again after
// so many others counts again.
const maxUndeliverable = 64

// isNew notes a kept message, and reports whether it was unknown.
func (u *undeliverable) isNew(p logPlace) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if slices.Contains(u.recent, p) {
		return false
	}
	if len(u.recent) < maxUndeliverable {
		u.recent = append(u.recent, p)
		return true
	}
	u.recent[u.next] = p
	u.next = (u.next + 1) % maxUndeliverable
	return true
}

// notEncoded logs and counts a message that connections of the dialect do not get.
func (d *dialect) notEncoded(hub *Hub, m *Message, why string) {
	if !m.Cursor.IsZero() && !d.lost.isNew(logPlace{m.To, m.Cursor}) {
		return
	}
	hub.undeliverable.Add(1)
	hub.log.Error("parley: message not encoded", "to", m.To, "err", why)
}
