package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
	"msc4014/runtime/authority"
)

// notice collects standard error, and can be read while it is written.
type notice struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notice) Write(data []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(data)
}

func (n *notice) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

func TestRefusals(t *testing.T) {
	good := map[string]string{"SERVER_NAME": "hs1", "MSC4014_CA_DIR": t.TempDir(), "MSC4014_DATA_DIR": t.TempDir()}
	with := func(name, value string) map[string]string {
		changed := map[string]string{name: value}
		for other, kept := range good {
			if _, set := changed[other]; !set {
				changed[other] = kept
			}
		}
		return changed
	}
	for _, each := range []struct {
		arguments   string
		environment map[string]string
		status      int
		says        string
	}{
		{"--nosuch", good, 2, "flag provided but not defined: -nosuch"},
		{"--fault one-key-a-user", good, 2, "flag provided but not defined: -fault"},
		{"--reading", good, 2, "needs an argument"},
		{"--reading nosuch", good, 2, "it is REQUIREMENT=READING"},
		{"--dialect nosuch", good, 2, "there are msc4014, dendrite"},
		{"serve", good, 2, `argument "serve"`},
		{"", with("SERVER_NAME", ""), 1, "SERVER_NAME is not set"},
		{"", with("MSC4014_REFERENCE_READINGS", "nosuch"), 1, `MSC4014_REFERENCE_DIALECT, MSC4014_REFERENCE_READINGS: reading "nosuch"`},
		{"", with("MSC4014_REFERENCE_DIALECT", "nosuch"), 1, `no dialect "nosuch"`},
		{"", with("MSC4014_CA_DIR", "/nosuch"), 1, "certificate authority: open /nosuch/ca.crt"},
	} {
		var stderr notice
		status := execute(t.Context(), strings.Fields(each.arguments), func(name string) string { return each.environment[name] }, &stderr)
		assert.Equal(t, each.status, status, "%s %v", each.arguments, each.environment)
		assert.Contains(t, stderr.String(), each.says)
		assert.True(t, strings.HasPrefix(stderr.String(), "reference: "), stderr.String())
		assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	}
}

// serving matches the log line with the addresses.
var serving = regexp.MustCompile(`msg=serving .* clients=(\S+) federation=(\S+)`)

// TestServes starts the server with choices from arguments and environment, sends requests to both ports, stops it, and
// starts it again.
func TestServes(t *testing.T) {
	issuer, err := authority.New(t.TempDir())
	require.NoError(t, err)
	data := filepath.Join(t.TempDir(), "data")
	environment := map[string]string{
		"SERVER_NAME": "hs1", "MSC4014_CA_DIR": issuer.Dir(), "MSC4014_DATA_DIR": data,
		"MSC4014_HTTP_ADDRESS": "127.0.0.1:0", "MSC4014_HTTPS_ADDRESS": "127.0.0.1:0",
		"MSC4014_REFERENCE_DIALECT": "dendrite", "MSC4014_REFERENCE_READINGS": "event-format/no-origin=absent",
	}
	var keys []string
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		var stderr notice
		status := make(chan int, 1)
		go func() {
			status <- execute(ctx, []string{"--reading", "redaction/sender-key-kept=removed"},
				func(name string) string { return environment[name] }, &stderr)
		}()
		var listening []string
		require.Eventually(t, func() bool {
			listening = serving.FindStringSubmatch(stderr.String())
			return listening != nil
		}, 20*time.Second, 10*time.Millisecond, "%s", &stderr)
		answer, err := http.Get("http://" + listening[1] + "/_matrix/client/versions")
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		assert.Equal(t, http.StatusOK, answer.StatusCode)

		secure := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: issuer.Pool(), ServerName: "hs1"}}
		answer, err = (&http.Client{Transport: secure}).Get("https://" + listening[2] + "/_matrix/key/v2/server")
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		var document struct {
			Name string                     `json:"server_name"`
			Keys map[string]json.RawMessage `json:"verify_keys"`
		}
		require.NoError(t, json.Unmarshal(body, &document))
		assert.Equal(t, "hs1", document.Name)
		for id := range document.Keys {
			keys = append(keys, id)
		}
		secure.CloseIdleConnections()
		cancel()
		assert.Equal(t, statusEnded, <-status, "%s", &stderr)
		assert.Contains(t, stderr.String(), "level=INFO msg=serving name=hs1")
	}
	require.Len(t, keys, 2)
	assert.Equal(t, keys[0], keys[1], "the key is kept")

	text, err := os.ReadFile(filepath.Join(data, configurationFile))
	require.NoError(t, err)
	var effective configuration
	require.NoError(t, json.Unmarshal(text, &effective))
	assert.Equal(t, "hs1", effective.ServerName)
	assert.Equal(t, pdu.DialectDendrite, effective.Dialect)
	assert.EqualValues(t, "removed", effective.Readings["redaction/sender-key-kept"])
	assert.EqualValues(t, "absent", effective.Readings["event-format/no-origin"])
}

// TestAddressInUse checks that one clear line is written, and nothing is left open.
func TestAddressInUse(t *testing.T) {
	issuer, err := authority.New(t.TempDir())
	require.NoError(t, err)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	environment := map[string]string{
		"SERVER_NAME": "hs1", "MSC4014_CA_DIR": issuer.Dir(), "MSC4014_DATA_DIR": t.TempDir(),
		"MSC4014_HTTP_ADDRESS": "127.0.0.1:0", "MSC4014_HTTPS_ADDRESS": taken.Addr().String(),
	}
	var stderr notice
	assert.Equal(t, statusCannot, execute(t.Context(), nil, func(name string) string { return environment[name] }, &stderr))
	assert.Contains(t, stderr.String(), "reference: the federation API cannot listen: ")
}
