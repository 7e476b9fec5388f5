package disklayer

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/parley-rt/parley"
)

// errDamaged is of calls that need what cannot be read of one log. It is no reason to
// try again soon, so its code is not Unavailable.
var errDamaged = &parley.Error{Code: parley.Internal, Message: "kept messages of this address are damaged on the server's disk"}

// maxDamages bounds how many damaged logs, and files, are remembered.
const maxDamages = 1024

// damages remembers damaged logs and files, each of which is logged once.
type damages struct {
	mu    sync.Mutex // guards what follows
	logs  map[parley.Address]bool
	files map[string]bool
}

// isDamage reports whether an error says that stored data is not what was written.
func isDamage(err error) bool {
	return err != nil && (errors.Is(err, errRecord) || pebble.IsCorruptionError(err))
}

// note adds to a set, unless it is full, and reports whether that is new.
func note[K comparable](d *damages, set *map[K]bool, key K) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if (*set)[key] || len(*set) >= maxDamages {
		return false
	}
	if *set == nil {
		*set = map[K]bool{}
	}
	(*set)[key] = true
	return true
}

// damaged returns errDamaged for an error that says that a log is damaged, and notes
// the log. It returns any other error as it is.
func (s *store) damaged(a parley.Address, err error) error {
	if !isDamage(err) || s.fs.err() != nil {
		return err
	}
	if note(&s.damages, &s.damages.logs, cloneAddress(a)) {
		s.cfg.Logger.Error("disklayer: a log is damaged, and others are served", "dir", s.cfg.dir, "address", a, "err", firstLine(err))
	}
	return fmt.Errorf("%w (%w)", errDamaged, err)
}

// housekept is damaged for housekeeping: damage that was noted is no error there.
func (s *store) housekept(a parley.Address, err error) error {
	if err = s.damaged(a, err); errors.Is(err, errDamaged) {
		return nil
	}
	return err
}

// damagedFile notes a file that the database found damaged.
func (s *store) damagedFile(info pebble.DataCorruptionInfo) {
	if note(&s.damages, &s.damages.files, info.Path) {
		s.cfg.Logger.Error("disklayer: a file is damaged", "dir", s.cfg.dir, "file", info.Path, "err", firstLine(info.Details))
	}
}

// firstLine returns what an error says, without the database's stack traces.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// Damaged returns how many logs were found damaged since the database was opened, up
// to 1,024.
func (l *Layer) Damaged() int {
	s := l.newest()
	if s == nil {
		return 0
	}
	s.damages.mu.Lock()
	defer s.damages.mu.Unlock()
	return len(s.damages.logs)
}
