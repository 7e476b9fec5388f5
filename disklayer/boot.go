package disklayer

import (
	"os"
	"strings"
)

// bootID names this start of the machine; "" where the system does not tell.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
