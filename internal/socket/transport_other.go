//go:build !unix

package socket

func newTransport(c *Conn) transport { return stream{c.nc} }

// attempt is what direct writes need where there are any.
type attempt struct{}

func (*attempt) init() {}

// workers are what reading by turns needs where there is any.
type workers struct{}

func (*workers) init() {}

func (*workers) stop() {}
