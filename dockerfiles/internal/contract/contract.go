// Package contract is the server's side of the image contract: what entry points read from their environment, with the
// defaults of a container, and the TLS certificate that they get from the run's authority.
//
//	SERVER_NAME            the server's name; required
//	MSC4014_CA_DIR         the folder of ca.crt and ca.key (/complement/ca)
//	MSC4014_APPSERVICE_DIR the folder with registrations of application services, *.yaml; it need not exist (/complement/appservice)
//	MSC4014_DATA_DIR       data that survives a restart (/data)
//	MSC4014_HTTP_ADDRESS   where to listen for clients (:8008)
//	MSC4014_HTTPS_ADDRESS  where to listen for the federation, with TLS (:8448)
//	MSC4014_LOG_LEVEL      trace, debug, info, warn or error (info; Dendrite: warn)
//	MSC4014_EPHEMERAL      true or false: whether the server is started only once, so that its data need not outlive its
//	                       process (false)
package contract

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"msc4014/runtime/authority"
)

// Settings are the settings that the contract gives an entry point.
type Settings struct {
	ServerName   string // "hs1", "127.77.0.1", "host:8448"
	CADir        string // absolute, as DataDir
	DataDir      string
	HTTPAddress  string
	HTTPSAddress string
	LogLevel     string
	Ephemeral    bool
	// Registrations are the absolute paths of the registrations of application services, sorted.
	Registrations []string
}

var logLevels = []string{"trace", "debug", "info", "warn", "error"}

// Read reads and validates the environment through get (os.Getenv).
func Read(get func(string) string) (Settings, error) {
	or := func(name, otherwise string) string {
		if value := get(name); value != "" {
			return value
		}
		return otherwise
	}
	s := Settings{
		ServerName:   get("SERVER_NAME"),
		CADir:        or("MSC4014_CA_DIR", "/complement/ca"),
		DataDir:      or("MSC4014_DATA_DIR", "/data"),
		HTTPAddress:  or("MSC4014_HTTP_ADDRESS", ":8008"),
		HTTPSAddress: or("MSC4014_HTTPS_ADDRESS", ":8448"),
		LogLevel:     or("MSC4014_LOG_LEVEL", "info"),
	}
	if s.ServerName == "" {
		return Settings{}, errors.New("SERVER_NAME is not set: it is the name of this homeserver, such as hs1")
	}
	if !slices.Contains(logLevels, s.LogLevel) {
		return Settings{}, fmt.Errorf("MSC4014_LOG_LEVEL is %q: use one of %s", s.LogLevel, strings.Join(logLevels, ", "))
	}
	ephemeral, err := strconv.ParseBool(or("MSC4014_EPHEMERAL", "false"))
	if err != nil {
		return Settings{}, fmt.Errorf("MSC4014_EPHEMERAL is %q: use true or false", get("MSC4014_EPHEMERAL"))
	}
	s.Ephemeral = ephemeral
	for _, dir := range []*string{&s.CADir, &s.DataDir} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return Settings{}, err
		}
	}
	s.Registrations, err = registrationsIn(or("MSC4014_APPSERVICE_DIR", "/complement/appservice"))
	return s, err
}

// registrationsIn returns the registrations in a folder, none if it does not exist.
func registrationsIn(dir string) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the registrations of application services: %w", err)
	}
	var paths []string
	for _, entry := range entries { // sorted
		if filepath.Ext(entry.Name()) == ".yaml" {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	return paths, nil
}

// CertificateNames returns the names for the server's certificate: the host of its name, without a port, and localhost.
func (s Settings) CertificateNames() []string {
	host := s.ServerName
	if withoutPort, _, err := net.SplitHostPort(s.ServerName); err == nil {
		host = withoutPort
	}
	return []string{strings.Trim(host, "[]"), "localhost", "127.0.0.1"}
}

// Authority returns the run's certificate authority.
func (s Settings) Authority() (*authority.Authority, error) { return authority.Load(s.CADir) }

// WriteWhole atomically writes a file that only its owner can read.
func WriteWhole(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(data)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
