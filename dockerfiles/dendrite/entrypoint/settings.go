// What the entry point reads from its environment.

package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"msc4014/dockerfiles/internal/contract"
)

// defaultLogLevel is not info, which takes 3 % of a run's CPU time. Its lines about message streams also hide why a start
// failed: they are the last of the log.
const defaultLogLevel = "warn"

// settings are the settings of the contract, and the folder of Dendrite.
type settings struct {
	contract.Settings
	ProgramDir string // MSC4014_PROGRAM_DIR: the folder of the program "dendrite"
	Presence   bool   // MSC4014_PRESENCE: whether other servers are sent presence (true)
}

// readSettings reads and validates the environment through get (os.Getenv).
func readSettings(get func(string) string) (settings, error) {
	read, err := contract.Read(get)
	if err != nil {
		return settings{}, err
	}
	if get("MSC4014_LOG_LEVEL") == "" {
		read.LogLevel = defaultLogLevel
	}
	dir := get("MSC4014_PROGRAM_DIR")
	if dir == "" {
		beside, err := os.Executable()
		if err != nil {
			return settings{}, err
		}
		dir = filepath.Dir(beside)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return settings{}, err
	}
	presence, err := strconv.ParseBool(cmp.Or(get("MSC4014_PRESENCE"), "true"))
	if err != nil {
		return settings{}, fmt.Errorf("MSC4014_PRESENCE is %q: use true or false", get("MSC4014_PRESENCE"))
	}
	return settings{Settings: read, ProgramDir: dir, Presence: presence}, nil
}
