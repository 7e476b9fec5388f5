package parley_test

import (
	"errors"
	"net"
)

// inverting is a listener whose connections carry each byte with its bits
// inverted: whoever reads or writes past the wrapper finds garbage.
type inverting struct{ net.Listener }

func (l inverting) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return inverted{nc}, nil
}

func dialInverted(address string) (net.Conn, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return inverted{nc}, nil
}

type inverted struct{ net.Conn }

func (c inverted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	invert(b[:n])
	return n, err
}

func (c inverted) Write(b []byte) (int, error) {
	b = append([]byte(nil), b...)
	invert(b)
	return c.Conn.Write(b)
}

func (c inverted) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// NetConn returns what is wrapped, as that of tls.Conn does.
func (c inverted) NetConn() net.Conn { return c.Conn }

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}
