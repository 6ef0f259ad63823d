package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

var format = pseudoid.FormatMSC4014

// signed returns an event of a room with its hash, signed by its sender.
func signed(t *testing.T, room string, by pseudoid.KeyPair, body string) []byte {
	t.Helper()
	return signedBy(t, room, by.Public, by, body)
}

// signedBy returns an event that names a sender and is signed by a key.
func signedBy(t *testing.T, room string, sender pseudoid.SenderKey, by pseudoid.KeyPair, body string) []byte {
	t.Helper()
	event := fmt.Sprintf(`{"type":"m.room.message","room_id":%q,"sender_key":%q,"content":{"body":%q},"prev_events":[],"auth_events":[],"depth":1,"origin_server_ts":1}`,
		room, sender, body)
	hash, err := pseudoid.ContentHash([]byte(event))
	require.NoError(t, err)
	event, err = sjson.Set(event, "hashes.sha256", hash)
	require.NoError(t, err)
	made, err := pseudoid.SignEvent([]byte(event), format, string(by.Public), pseudoid.SenderKeyID, by.Private)
	require.NoError(t, err)
	return made
}

// folder writes a results folder with one check, whose transcript has these exchanges.
func folder(t *testing.T, check verdict.CheckResult, exchanges ...transcript.Exchange) (string, report.Results) {
	t.Helper()
	path := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(path, "checks"), 0o755))
	for i := range exchanges {
		exchanges[i].Started = time.Unix(int64(i), 0).UTC()
	}
	var har bytes.Buffer
	require.NoError(t, transcript.WriteHAR(&har, transcript.Creator{}, transcript.About{}, exchanges, 0))
	require.NoError(t, os.WriteFile(filepath.Join(path, "checks", "a.har"), har.Bytes(), 0o644))
	sum := sha256.Sum256(har.Bytes())
	check.Name, check.Transcript = "a check", "checks/a.har"
	results := report.Results{
		Schema: report.Schema, Candidate: verdict.Candidate{Name: "dendrite", Dialect: "msc4014"}, Checks: []verdict.CheckResult{check},
		Evidence: []report.EvidenceFile{{Path: "checks/a.har", SHA256: hex.EncodeToString(sum[:]), Bytes: int64(har.Len())}},
	}
	for _, id := range []string{contentHash, everyEvent, oneRoom} {
		results.Requirements = append(results.Requirements, report.Requirement{ID: id, Verdict: verdict.Pass})
	}
	results.RequirementCounts = report.Counts{verdict.Pass: len(results.Requirements)}
	return path, results
}

// sends is a transaction of the candidate, and brings one of a peer.
func sends(events ...[]byte) transcript.Exchange {
	return transcript.Exchange{Direction: transcript.ServerRequest, Method: "PUT", URL: "/send/1", Status: 200, RequestBody: []byte(`{"pdus":[` + string(bytes.Join(events, []byte(","))) + `]}`)}
}

func brings(events ...[]byte) transcript.Exchange {
	exchange := sends(events...)
	exchange.Direction = transcript.PeerRequest
	return exchange
}

func TestEvidence(t *testing.T) {
	alice, mallory := pseudoid.GenerateKeyPair(), pseudoid.GenerateKeyPair()
	good := signed(t, "!a:hs1", alice, "hello")
	other := signed(t, "!b:hs1", alice, "elsewhere")
	forged := signedBy(t, "!a:hs1", alice.Public, mallory, "x")
	changed, err := sjson.SetBytes(good, "content.body", "changed")
	require.NoError(t, err)
	unsigned, err := sjson.DeleteBytes(good, "signatures")
	require.NoError(t, err)
	for name, each := range map[string]struct {
		exchanges []transcript.Exchange
		words     string
	}{
		"right":                       {[]transcript.Exchange{sends(good)}, ""},
		"a lie of a peer, relayed":    {[]transcript.Exchange{brings(forged), sends(forged)}, ""},
		"unsigned":                    {[]transcript.Exchange{sends(unsigned)}, everyEvent + ` is recorded as pass, but in the transcript of "a check" m.room.message $`},
		"signed by another":           {[]transcript.Exchange{sends(forged)}, everyEvent},
		"a wrong hash":                {[]transcript.Exchange{sends(changed)}, contentHash},
		"a key in two rooms":          {[]transcript.Exchange{sends(good), sends(other)}, oneRoom},
		"not all exchanges were kept": {[]transcript.Exchange{{Direction: transcript.ClientRequest, Notes: []string{"bodies not kept, 9 bytes: the transcript was full"}}, sends(unsigned)}, ""},
	} {
		path, results := folder(t, verdict.CheckResult{Verdict: verdict.Pass}, each.exchanges...)
		outcome, err := Evidence(path, results)
		require.NoError(t, err, name)
		if each.words == "" {
			assert.Empty(t, outcome.Contradictions, name)
			continue
		}
		require.Len(t, outcome.Contradictions, 1, name)
		assert.Contains(t, outcome.Contradictions[0], each.words, name)
	}
}

// TestRecordedFailures: what a check says of a signature must be in its transcript.
func TestRecordedFailures(t *testing.T) {
	alice := pseudoid.GenerateKeyPair()
	good := signed(t, "!a:hs1", alice, "hello")
	unsigned, err := sjson.DeleteBytes(good, "signatures")
	require.NoError(t, err)
	id, err := pseudoid.EventID(good, format)
	require.NoError(t, err)
	fail := verdict.CheckResult{Verdict: verdict.Fail, Requirements: []string{"signing/rejects-unsigned"}, Reason: "the event " + id + " must be refused and is in /messages"}
	view := transcript.Exchange{Direction: transcript.ClientRequest, Method: "GET", URL: "/messages", Status: 200, ResponseBody: []byte(`{"chunk":[{"event_id":"` + id + `"}]}`)}

	path, results := folder(t, fail, brings(unsigned), view)
	outcome, err := Evidence(path, results)
	require.NoError(t, err)
	assert.Equal(t, 1, outcome.Confirmed)
	assert.Empty(t, outcome.Contradictions)

	path, results = folder(t, fail, brings(good), view)
	outcome, err = Evidence(path, results)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(outcome.Contradictions, "\n"), `the fail of "a check" (signing/rejects-unsigned) is not in its transcript`)

	path, results = folder(t, fail, brings(unsigned))
	outcome, err = Evidence(path, results)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(outcome.Contradictions, "\n"), "no answer has "+id)

	path, results = folder(t, fail, view)
	outcome, err = Evidence(path, results)
	require.NoError(t, err)
	assert.Equal(t, 1, outcome.NotKept)
	assert.Empty(t, outcome.Contradictions)
}

// TestOneFlippedByte: wherever it is in the evidence, it is noticed, and the check is named.
func TestOneFlippedByte(t *testing.T) {
	path, results := folder(t, verdict.CheckResult{}, sends(signed(t, "!a:hs1", pseudoid.GenerateKeyPair(), "hello")))
	require.NoError(t, report.CheckEvidence(path, results))
	file := filepath.Join(path, "checks", "a.har")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, at := range []int{0, len(data) / 2, len(data) - 1} {
		flipped := bytes.Clone(data)
		flipped[at] ^= 1
		require.NoError(t, os.WriteFile(file, flipped, 0o644))
		err := report.CheckEvidence(path, results)
		assert.ErrorIs(t, err, report.ErrEvidence)
		assert.ErrorContains(t, err, `checks/a.har was changed`)
		assert.ErrorContains(t, err, `evidence of the check "a check"`)
	}
	require.NoError(t, os.Remove(file))
	assert.ErrorContains(t, report.CheckEvidence(path, results), "checks/a.har is missing")
}

func TestSignature(t *testing.T) {
	path := t.TempDir()
	file := filepath.Join(path, report.ResultsFile)
	require.NoError(t, os.WriteFile(file, []byte("{}"), 0o644))
	key, err := CheckSignature(path)
	require.NoError(t, err)
	assert.Empty(t, key)

	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600))
	require.NoError(t, Sign(path, keyFile))
	key, err = CheckSignature(path)
	require.NoError(t, err)
	assert.Equal(t, private.Public(), key)

	require.NoError(t, os.WriteFile(file, []byte("{ }"), 0o644))
	_, err = CheckSignature(path)
	assert.ErrorIs(t, err, ErrSignature)
	require.NoError(t, os.WriteFile(filepath.Join(path, report.SignatureFile), []byte("{"), 0o644))
	_, err = CheckSignature(path)
	assert.ErrorIs(t, err, ErrSignature)
	assert.ErrorContains(t, Sign(path, file), "is not a key in PEM")
	assert.ErrorContains(t, Sign(path, filepath.Join(path, "none")), "cannot read the key")
}
