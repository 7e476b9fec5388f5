package dialect

// Plain is the dialect of servers that relay messages as they are.
type Plain struct{}

// Path returns the endpoint of a user, or of everyone.
func (Plain) Path(user string) string {
	if user == "" {
		return "/ws/"
	}
	return "/ws/" + user + "/"
}

// ReadyOnUpgrade is true: nothing precedes the first message.
func (Plain) ReadyOnUpgrade() bool { return true }

// Append adds the message itself.
func (Plain) Append(dst, message []byte) []byte { return append(dst, message...) }

// Classify takes every payload for a message.
func (Plain) Classify([]byte) (Kind, []byte) { return Message, nil }

// Mounted is Plain on a server whose users connect at a path of their own: Prefix and their name.
type Mounted struct {
	Plain
	Prefix string
}

// Path returns the endpoint of a user.
func (m Mounted) Path(user string) string { return m.Prefix + user }
