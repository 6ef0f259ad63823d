package main

import (
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/dockerfiles/internal/contract"
)

func TestReadSettings(t *testing.T) {
	variables := map[string]string{"SERVER_NAME": "hs1"}
	s, err := readSettings(func(name string) string { return variables[name] })
	require.NoError(t, err)
	assert.Equal(t, "hs1", s.ServerName)
	assert.True(t, filepath.IsAbs(s.ProgramDir))
	assert.Equal(t, "warn", s.LogLevel)
	assert.True(t, s.Presence, "Complement's tests need it")
	variables["MSC4014_PROGRAM_DIR"], variables["MSC4014_LOG_LEVEL"], variables["MSC4014_PRESENCE"] = "/programs", "info", "false"
	s, err = readSettings(func(name string) string { return variables[name] })
	require.NoError(t, err)
	assert.Equal(t, "/programs", s.ProgramDir)
	assert.Equal(t, "info", s.LogLevel)
	assert.False(t, s.Presence)
	variables["MSC4014_PRESENCE"] = "x"
	_, err = readSettings(func(name string) string { return variables[name] })
	assert.ErrorContains(t, err, "MSC4014_PRESENCE is")
	_, err = readSettings(func(string) string { return "" })
	assert.ErrorContains(t, err, "SERVER_NAME is not set")
}

func TestEnvironmentTrustsOnlyTheAuthorityAndKnowsNoProxy(t *testing.T) {
	got := environment([]string{"PATH=/bin", "https_proxy=http://p", "HTTP_PROXY=x", "SSL_CERT_FILE=/etc/x", "SSL_CERT_DIR=/etc", "TMPDIR=/t"}, "/ca", "/d/tmp")
	assert.ElementsMatch(t, []string{
		"PATH=/bin", "SSL_CERT_FILE=/ca/ca.crt", "SSL_CERT_DIR=/ca", "TMPDIR=/d/tmp", "SQLITE_TMPDIR=/d/tmp", "GOGC=400", "GOMAXPROCS=1",
	}, got)
}

func TestSigningKeyIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "matrix_key.pem")
	require.NoError(t, keepSigningKey(path))
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	block, _ := pem.Decode(first)
	require.NotNil(t, block)
	assert.Len(t, block.Bytes, 32)
	assert.Regexp(t, `^ed25519:[a-zA-Z0-9_]+$`, block.Headers["Key-ID"])

	require.NoError(t, keepSigningKey(path))
	second, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, first, second)

	require.NoError(t, os.WriteFile(path, []byte("damaged"), 0o600))
	assert.ErrorContains(t, keepSigningKey(path), "not overwritten")
}

func TestEventsInFlightAreInFilesWhereTheServerIsStartedAgain(t *testing.T) {
	for _, ephemeral := range []bool{false, true} {
		path, err := writeConfiguration(settings{Settings: contract.Settings{ServerName: "hs1", DataDir: t.TempDir(), Ephemeral: ephemeral}})
		require.NoError(t, err)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Regexp(t, fmt.Sprintf(`topic_prefix: Dendrite\s+in_memory: %t`, ephemeral), string(data))
	}
}

func TestPresenceIsSentOrNot(t *testing.T) {
	for _, presence := range []bool{false, true} {
		path, err := writeConfiguration(settings{Settings: contract.Settings{ServerName: "hs1", DataDir: t.TempDir()}, Presence: presence})
		require.NoError(t, err)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Regexp(t, fmt.Sprintf(`enable_inbound: true\s+enable_outbound: %t`, presence), string(data))
	}
}

func TestApplicationServices(t *testing.T) {
	for wanted, registrations := range map[string][]string{
		"config_files: []\n": nil,
		"config_files:\n    - \"/a.yaml\"\n    - \"/b.yaml\"\n": {"/a.yaml", "/b.yaml"},
	} {
		path, err := writeConfiguration(settings{Settings: contract.Settings{ServerName: "hs1", DataDir: t.TempDir(), Registrations: registrations}})
		require.NoError(t, err)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Contains(t, string(data), wanted)
	}
}

func TestConfiguration(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `with "quotes"`)
	require.NoError(t, os.Mkdir(dir, 0o755))
	path, err := writeConfiguration(settings{Settings: contract.Settings{ServerName: "hs1", DataDir: dir, LogLevel: "warn"}})
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "dendrite.yaml"), path)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	text := string(data)
	assert.Contains(t, text, `server_name: "hs1"`)
	assert.Contains(t, text, `level: "warn"`)
	assert.NotContains(t, text, "matrix.org", "no third party")

	databases := regexp.MustCompile(`connection_string: "(.*)"`).FindAllStringSubmatch(text, -1)
	assert.Len(t, databases, 8)
	for _, match := range databases {
		uri, err := url.Parse(match[1])
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(uri.Path, dir+"/dendrite_"), uri.Path)
		assert.True(t, strings.HasSuffix(uri.Path, databasePragmas), uri.Path)
		assert.Empty(t, uri.RawQuery, "Dendrite drops the query")
	}
}
