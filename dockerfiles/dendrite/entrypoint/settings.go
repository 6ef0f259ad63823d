// What the entry point reads from its environment.

package main

import (
	"os"
	"path/filepath"

	"msc4014/dockerfiles/internal/contract"
)

// settings are the settings of the contract, and the folder of Dendrite.
type settings struct {
	contract.Settings
	ProgramDir string // MSC4014_PROGRAM_DIR: the folder of the program "dendrite"
}

// readSettings reads and validates the environment through get (os.Getenv).
func readSettings(get func(string) string) (settings, error) {
	read, err := contract.Read(get)
	if err != nil {
		return settings{}, err
	}
	dir := get("MSC4014_PROGRAM_DIR")
	if dir == "" {
		beside, err := os.Executable()
		if err != nil {
			return settings{}, err
		}
		dir = filepath.Dir(beside)
	}
	dir, err = filepath.Abs(dir)
	return settings{Settings: read, ProgramDir: dir}, err
}
