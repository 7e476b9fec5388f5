package system

import (
	"fmt"
	"io"
	"time"

	"github.com/google/pprof/profile"
)

// Profile takes a CPU profile of a Go server and returns when it is complete.
func (i *Instance) Profile(length time.Duration) (*profile.Profile, error) {
	var p *profile.Profile
	err := i.get(fmt.Sprintf("/debug/pprof/profile?seconds=%.0f", length.Seconds()), func(body io.Reader) (err error) {
		p, err = profile.Parse(body)
		return err
	})
	return p, err
}
