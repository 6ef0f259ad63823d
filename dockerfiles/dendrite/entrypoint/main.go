// Command entrypoint starts Dendrite as the candidate of a run, in a container without a shell and as a plain process
// alike: it makes the server's TLS certificate from the run's authority, keeps the signing key in the data folder,
// writes the configuration beside it, and becomes Dendrite. It links nothing of Dendrite, so one entry point serves
// every version.
//
// Environment: that of the image contract (dockerfiles/internal/contract), and MSC4014_PROGRAM_DIR (the entry point's own
// folder).
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"msc4014/runtime/authority"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "entrypoint: %s\n", err)
		os.Exit(1)
	}
}

// run returns only if Dendrite could not be started.
func run() error {
	s, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	temporaryDir := filepath.Join(s.DataDir, "tmp")
	if err := os.MkdirAll(temporaryDir, 0o755); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	certificatePath, keyPath := filepath.Join(s.DataDir, "tls.crt"), filepath.Join(s.DataDir, "tls.key")
	certificateAuthority, err := s.Authority()
	if err != nil {
		return err
	}
	if err := certificateAuthority.IssueFiles(certificatePath, keyPath, s.CertificateNames()...); err != nil {
		return err
	}
	if err := keepSigningKey(filepath.Join(s.DataDir, "matrix_key.pem")); err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	configurationPath, err := writeConfiguration(s)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	program := filepath.Join(s.ProgramDir, "dendrite")
	arguments := []string{
		program, "--really-enable-open-registration",
		"--tls-cert", certificatePath, "--tls-key", keyPath, "--config", configurationPath,
		"--http-bind-address", s.HTTPAddress, "--https-bind-address", s.HTTPSAddress,
	}
	if err := syscall.Exec(program, arguments, environment(os.Environ(), s.CADir, temporaryDir)); err != nil {
		return fmt.Errorf("cannot become %s: %w", program, err)
	}
	return nil
}

// environment is what Dendrite inherits: it trusts the run's authority alone, no proxy stands between servers, temporary
// files go where they are removed with the rest, and garbage is collected rarely, for servers live for minutes. Several
// servers share a machine: on one core each, they do not spend a fifth of their time on handing work from one to another.
func environment(inherited []string, caDir, temporaryDir string) []string {
	kept := []string{
		"SSL_CERT_FILE=" + filepath.Join(caDir, authority.CertificateFile),
		"SSL_CERT_DIR=" + caDir, // else those of the machine are trusted, too
		"TMPDIR=" + temporaryDir,
		"SQLITE_TMPDIR=" + temporaryDir,
		"GOGC=400",
		"GOMAXPROCS=1",
	}
	for _, variable := range inherited {
		name, _, _ := strings.Cut(variable, "=")
		switch strings.ToUpper(name) {
		case "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "TMPDIR", "SQLITE_TMPDIR", "GOGC", "GOMAXPROCS":
		default:
			kept = append(kept, variable)
		}
	}
	return kept
}
