// Command entrypoint starts Dendrite as the candidate of a run, in a container without a shell or as a plain process: it
// issues the server's TLS certificate from the run's authority, stores the signing key and the configuration in the data
// folder, and execs Dendrite. It links nothing of Dendrite, so one entry point serves every version.
//
// Environment: that of the image contract (dockerfiles/internal/contract), and MSC4014_PROGRAM_DIR (default: the entry
// point's own folder).
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
		return fmt.Errorf("cannot exec %s: %w", program, err)
	}
	return nil
}

// environment returns Dendrite's environment: it trusts only the run's authority, uses no proxy, puts temporary files where
// they are removed with the rest, and collects garbage rarely, because servers run for minutes only. Several servers share a
// machine: with one core each, they do not spend a fifth of their time moving goroutines between cores.
func environment(inherited []string, caDir, temporaryDir string) []string {
	kept := []string{
		"SSL_CERT_FILE=" + filepath.Join(caDir, authority.CertificateFile),
		"SSL_CERT_DIR=" + caDir, // otherwise the machine's are trusted too
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
