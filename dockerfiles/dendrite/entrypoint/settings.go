// What the entry point reads from its environment.

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// settings are what the contract gives the entry point, with the defaults of a container.
type settings struct {
	ServerName   string // SERVER_NAME: "hs1", "127.77.0.1", "host:8448"
	CADir        string // MSC4014_CA_DIR: ca.crt and ca.key
	DataDir      string // MSC4014_DATA_DIR: outlives a restart
	ProgramDir   string // MSC4014_PROGRAM_DIR: the folder of the program "dendrite"
	HTTPAddress  string // MSC4014_HTTP_ADDRESS: the plain client API
	HTTPSAddress string // MSC4014_HTTPS_ADDRESS: the federation API over TLS
	LogLevel     string // MSC4014_LOG_LEVEL: debug, info, warn, error
}

var logLevels = []string{"trace", "debug", "info", "warn", "error"}

// readSettings reads the environment through get (os.Getenv) and says what is wrong with it.
func readSettings(get func(string) string) (settings, error) {
	or := func(name, otherwise string) string {
		if value := get(name); value != "" {
			return value
		}
		return otherwise
	}
	beside, err := os.Executable()
	if err != nil {
		return settings{}, err
	}
	s := settings{
		ServerName:   get("SERVER_NAME"),
		CADir:        or("MSC4014_CA_DIR", "/complement/ca"),
		DataDir:      or("MSC4014_DATA_DIR", "/data"),
		ProgramDir:   or("MSC4014_PROGRAM_DIR", filepath.Dir(beside)),
		HTTPAddress:  or("MSC4014_HTTP_ADDRESS", ":8008"),
		HTTPSAddress: or("MSC4014_HTTPS_ADDRESS", ":8448"),
		LogLevel:     or("MSC4014_LOG_LEVEL", "info"),
	}
	if s.ServerName == "" {
		return settings{}, errors.New("SERVER_NAME is not set: it is the name of this homeserver, such as hs1")
	}
	if !slices.Contains(logLevels, s.LogLevel) {
		return settings{}, fmt.Errorf("MSC4014_LOG_LEVEL is %q: use one of %s", s.LogLevel, strings.Join(logLevels, ", "))
	}
	for _, dir := range []*string{&s.CADir, &s.DataDir, &s.ProgramDir} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return settings{}, err
		}
	}
	return s, nil
}
