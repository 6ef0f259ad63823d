package suite

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// configured is a server with a configuration.
type configured struct {
	runtime.Server
	name, text string
}

func (s configured) Configuration(context.Context) (string, []byte, error) {
	return s.name, []byte(s.text), nil
}

func TestTheConfigurationIsKept(t *testing.T) {
	results := t.TempDir()
	path, err := keepConfiguration(t.Context(), configured{name: "server.yaml", text: "rate_limits: off\n"}, results, "hs2-")
	require.NoError(t, err)
	assert.Equal(t, "configuration/hs2-server.yaml", path)
	kept, err := os.ReadFile(filepath.Join(results, path))
	require.NoError(t, err)
	assert.Equal(t, "rate_limits: off\n", string(kept))

	path, err = keepConfiguration(t.Context(), configured{}, results, "")
	require.NoError(t, err)
	assert.Empty(t, path, "a candidate that does not say where its configuration is")
}

func TestThePostTestScriptGetsComplementsArguments(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script.sh")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nprintf '%s|' \"$@\"\n"), 0o755))
	require.NoError(t, checkScript(script))
	alone := check.Retired{Blueprint: "private server", Checks: []string{"a check"}, Failed: true}
	output, err := callScript(t.Context(), script, "c0ffee", alone)
	require.NoError(t, err)
	assert.Equal(t, "c0ffee|a check|true|", output)

	shared := check.Retired{Blueprint: "one server", Checks: []string{"a check", "another"}}
	output, err = callScript(t.Context(), script, "c0ffee", shared)
	require.NoError(t, err)
	assert.Equal(t, "c0ffee|one server|false|", output)

	assert.ErrorContains(t, checkScript(filepath.Join(t.TempDir(), "none")), "COMPLEMENT_POST_TEST_SCRIPT")
}

func TestAPrintedExchangeHasNoSecrets(t *testing.T) {
	text := printed("a check", transcript.Exchange{
		Direction: transcript.ClientRequest, Actor: "@alice:hs1", Method: "POST", URL: "http://hs1/login", Status: 200,
		RequestHeader: http.Header{"Authorization": {"Bearer secret-token"}},
		RequestBody:   []byte(`{"password":"secret-password"}`),
		ResponseBody:  []byte(`{"access_token":"secret-token","padding":"` + strings.Repeat("x", 2*longestPrinted) + `"}`),
	})
	assert.Contains(t, text, "[a check] "+string(transcript.ClientRequest)+" @alice:hs1: POST http://hs1/login -> 200")
	assert.NotContains(t, text, "secret")
	assert.Less(t, len(text), 2*longestPrinted)
}
