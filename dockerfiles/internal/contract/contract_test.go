package contract

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	from := func(variables map[string]string) func(string) string {
		return func(name string) string { return variables[name] }
	}
	s, err := Read(from(map[string]string{"SERVER_NAME": "hs1"}))
	require.NoError(t, err)
	assert.Equal(t, Settings{
		ServerName: "hs1", CADir: "/complement/ca", DataDir: "/data", HTTPAddress: ":8008", HTTPSAddress: ":8448", LogLevel: "info",
	}, s)

	folder := t.TempDir()
	for _, name := range []string{"two.yaml", "one.yaml", "notes.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, 0o644))
	}
	s, err = Read(from(map[string]string{"SERVER_NAME": "hs1", "MSC4014_APPSERVICE_DIR": folder}))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(folder, "one.yaml"), filepath.Join(folder, "two.yaml")}, s.Registrations)
	_, err = Read(from(map[string]string{"SERVER_NAME": "hs1", "MSC4014_APPSERVICE_DIR": filepath.Join(folder, "notes.txt")}))
	assert.ErrorContains(t, err, "the registrations of application services")

	_, err = Read(from(nil))
	assert.ErrorContains(t, err, "SERVER_NAME is not set")
	_, err = Read(from(map[string]string{"SERVER_NAME": "hs1", "MSC4014_LOG_LEVEL": "loud"}))
	assert.ErrorContains(t, err, `"loud"`)

	s, err = Read(from(map[string]string{"SERVER_NAME": "hs1", "MSC4014_EPHEMERAL": "true"}))
	require.NoError(t, err)
	assert.True(t, s.Ephemeral)
	_, err = Read(from(map[string]string{"SERVER_NAME": "hs1", "MSC4014_EPHEMERAL": "perhaps"}))
	assert.ErrorContains(t, err, `MSC4014_EPHEMERAL is "perhaps"`)
}

func TestCertificateNames(t *testing.T) {
	for serverName, host := range map[string]string{
		"hs1": "hs1", "hs1:8448": "hs1", "127.77.0.1": "127.77.0.1", "127.0.0.1:32768": "127.0.0.1",
		"[::1]": "::1", "[::1]:8448": "::1", "host.docker.internal:1": "host.docker.internal",
	} {
		assert.Equal(t, host, Settings{ServerName: serverName}.CertificateNames()[0], serverName)
	}
}
