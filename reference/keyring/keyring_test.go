package keyring

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/federation/transport"
	"msc4014/reference/identity"
	"msc4014/reference/internal/loopback"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/store"
)

// clock is a time that stands still until it is moved.
type clock struct{ offset atomic.Int64 }

var start = time.Now()

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// publisher is another server, which publishes keys.
type publisher struct {
	t     *testing.T
	name  string
	http  *httptest.Server
	asked atomic.Int32

	mu     sync.Mutex
	answer func(w http.ResponseWriter) // nil: the document of keys
	about  string                      // whose keys it is asked for as a notary
	keys   map[string]ed25519.PrivateKey
	old    map[string]any
	until  time.Time
}

func newPublisher(t *testing.T) *publisher {
	p := &publisher{t: t, keys: map[string]ed25519.PrivateKey{}, old: map[string]any{}, until: start.Add(time.Hour)}
	p.key("ed25519:a")
	p.listen(loopback.Reserve(t))
	return p
}

func (p *publisher) listen(address string) {
	listener, err := net.Listen("tcp", address)
	require.NoError(p.t, err)
	p.http = httptest.NewUnstartedServer(p)
	require.NoError(p.t, p.http.Listener.Close())
	p.http.Listener = listener
	p.http.StartTLS()
	p.t.Cleanup(p.http.Close)
	p.name = listener.Addr().String()
}

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	assert.Contains(p.t, []string{"/_matrix/key/v2/server", "/_matrix/key/v2/query/" + p.about}, r.URL.Path)
	assert.Equal(p.t, p.name, r.Host)
	p.asked.Add(1)
	p.mu.Lock()
	answer := p.answer
	p.mu.Unlock()
	if answer != nil {
		answer(w)
		return
	}
	_, _ = w.Write(p.document())
}

// change changes the publisher under its lock.
func (p *publisher) change(how func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how()
}

// key makes a key in use.
func (p *publisher) key(keyID string) ed25519.PublicKey {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(p.t, err)
	p.change(func() { p.keys[keyID] = private })
	return public
}

func (p *publisher) public(keyID string) ed25519.PublicKey {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[keyID].Public().(ed25519.PublicKey)
}

func (p *publisher) document() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	current := map[string]any{}
	for keyID, key := range p.keys {
		current[keyID] = map[string]string{"key": identity.EncodeBase64(key.Public().(ed25519.PublicKey))}
	}
	raw, err := json.Marshal(map[string]any{
		"server_name": p.name, "valid_until_ts": p.until.UnixMilli(), "verify_keys": current, "old_verify_keys": p.old,
	})
	require.NoError(p.t, err)
	for keyID, key := range p.keys {
		raw, err = pdu.SignJSON(raw, p.name, keyID, key)
		require.NoError(p.t, err)
	}
	return raw
}

// ring is a keyring with its clock and its store.
type ring struct {
	*Keyring
	*clock
	store *store.Store
}

// newRing opens the keyring of a server in a folder.
func newRing(t *testing.T, serverName, dir string) *ring {
	pool := x509.NewCertPool()
	authority := httptest.NewTLSServer(http.NotFoundHandler()) // all servers of httptest have the same certificate
	pool.AddCert(authority.Certificate())
	authority.Close()
	s, err := store.Open(dir)
	require.NoError(t, err)
	c := &clock{}
	k, err := New(Config{ServerName: serverName, Store: s, Transport: transport.New(pool), Now: c.now})
	require.NoError(t, err)
	r := &ring{k, c, s}
	t.Cleanup(r.close)
	return r
}

func (r *ring) close() {
	r.Keyring.Close()
	_ = r.store.Close()
}

func TestOwnKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	first := newRing(t, "own.test", dir)
	signer := first.Signer()
	first.close()
	second := newRing(t, "own.test", dir)
	assert.Equal(t, signer, second.Signer())
	assert.NotEqual(t, signer.KeyID, newRing(t, "own.test", t.TempDir()).Signer().KeyID)

	key, err := second.KeySource().ServerKey("own.test", signer.KeyID)
	require.NoError(t, err)
	assert.Equal(t, signer.Key.Public(), key.Key)
	_, err = second.KeySource().ServerKey("own.test", "ed25519:other")
	assert.ErrorIs(t, err, pseudonym.ErrNoSuchKey)
}

func TestOwnDocumentHoldsForOthers(t *testing.T) {
	k := newRing(t, "own.test", t.TempDir())
	raw, err := k.OwnDocument()
	require.NoError(t, err)
	var document gomatrixserverlib.ServerKeys
	require.NoError(t, json.Unmarshal(raw, &document))
	checks, keys := gomatrixserverlib.CheckKeys("own.test", start, document)
	assert.True(t, checks.AllChecksOK)
	assert.Len(t, keys, 1)
	assert.NotNil(t, document.OldVerifyKeys)
	assert.Greater(t, document.ValidUntilTS, spec.AsTimestamp(start.Add(time.Hour)))
}

func TestKeysAreFetchedOnceForAll(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	gate := make(chan struct{})
	p.answer = func(w http.ResponseWriter) { <-gate; _, _ = w.Write(p.document()) }
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			key, err := k.KeySource().ServerKey(p.name, "ed25519:a")
			assert.NoError(t, err)
			assert.Equal(t, p.public("ed25519:a"), key.Key)
		})
	}
	close(gate)
	all.Wait()
	assert.EqualValues(t, 1, p.asked.Load())
}

// TestKeysAreFetchedInsideAnUpdate: whoever takes in an event may ask for keys while it writes.
func TestKeysAreFetchedInsideAnUpdate(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	require.NoError(t, k.store.Update(func(*store.Tx) error {
		_, err := k.KeySource().ServerKey(p.name, "ed25519:a")
		return err
	}))
}

func TestServerThatComesBackIsNoticedSoon(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	p.http.Close()
	_, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	require.Error(t, err)
	assert.NotErrorIs(t, err, pseudonym.ErrNoSuchKey, "it did not answer")

	p.listen(p.name)
	_, err = k.KeySource().ServerKey(p.name, "ed25519:a")
	assert.Error(t, err, "the failure is remembered")
	assert.Zero(t, p.asked.Load())

	k.advance(askAgainAfter)
	_, err = k.KeySource().ServerKey(p.name, "ed25519:a")
	assert.NoError(t, err)
}

func TestServerIsAskedAgainOutOfTurn(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	p.http.Close()
	_, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	require.Error(t, err)
	require.Error(t, k.AskAgain(t.Context(), p.name))

	p.listen(p.name)
	require.NoError(t, k.AskAgain(t.Context(), p.name), "no time has passed")
	_, err = k.KeySource().ServerKey(p.name, "ed25519:a")
	assert.NoError(t, err)
}

// TestNotaryIsAsked: one that is believed stands in for a dead server, and one that is not changes nothing.
func TestNotaryIsAsked(t *testing.T) {
	p, notary, k := newPublisher(t), newPublisher(t), newRing(t, "own.test", t.TempDir())
	p.http.Close()
	notary.about = p.name
	notary.answer = func(w http.ResponseWriter) {
		_, _ = fmt.Fprintf(w, `{"server_keys":[%s,%s]}`, notary.document(), p.document())
	}

	require.NoError(t, k.AskNotary(t.Context(), notary.name, p.name, false))
	_, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	assert.Error(t, err)
	require.NoError(t, k.AskNotary(t.Context(), notary.name, p.name, true))
	key, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	require.NoError(t, err)
	assert.Equal(t, p.public("ed25519:a"), key.Key)
	notary.about = "other.test"
	assert.ErrorContains(t, k.AskNotary(t.Context(), notary.name, "other.test", true), "has no keys of other.test")
}

func TestUnknownKeyIsAskedForAgain(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	_, err := k.KeySource().ServerKey(p.name, "ed25519:b")
	assert.ErrorIs(t, err, pseudonym.ErrNoSuchKey)
	_, err = k.KeySource().ServerKey(p.name, "ed25519:c")
	assert.ErrorIs(t, err, pseudonym.ErrNoSuchKey)
	assert.EqualValues(t, 1, p.asked.Load(), "asked again too soon")

	b := p.key("ed25519:b")
	k.advance(askAgainAfter)
	key, err := k.KeySource().ServerKey(p.name, "ed25519:b")
	require.NoError(t, err)
	assert.Equal(t, b, key.Key)
	assert.EqualValues(t, 2, p.asked.Load())

	k.advance(askAgainAfter)
	p.http.Close()
	_, err = k.KeySource().ServerKey(p.name, "ed25519:c")
	require.Error(t, err)
	assert.NotErrorIs(t, err, pseudonym.ErrNoSuchKey, "nobody said so")
	_, err = k.KeySource().ServerKey(p.name, "ed25519:b")
	assert.NoError(t, err, "what is known stays known")
}

func TestKeySourceGivesUpOnAServerThatHangs(t *testing.T) {
	t.Parallel()
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	gate := make(chan struct{})
	p.answer = func(http.ResponseWriter) { <-gate }
	defer close(gate)
	began := time.Now()
	_, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	require.Error(t, err)
	assert.NotErrorIs(t, err, pseudonym.ErrNoSuchKey)
	assert.Less(t, time.Since(began), fetchTimeout)
}

func TestDocumentsThatDoNotHold(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	good := p.document()
	var document map[string]any
	require.NoError(t, json.Unmarshal(good, &document))
	changed := func(field string, value any) []byte {
		copied := map[string]any{}
		for name, old := range document {
			copied[name] = old
		}
		copied[field] = value
		raw, err := json.Marshal(copied)
		require.NoError(t, err)
		return raw
	}
	resigned := func(field string, value any) []byte {
		raw, err := pdu.SignJSON(changed(field, value), p.name, "ed25519:a", p.keys["ed25519:a"])
		require.NoError(t, err)
		return raw
	}
	named := func(keyID string, key any) map[string]any { return map[string]any{keyID: map[string]any{"key": key}} }
	smallOrder := named("ed25519:a", identity.EncodeBase64(append([]byte{1}, make([]byte, 31)...)))
	withB := named("ed25519:b", identity.GenerateKeyPair().Public)
	withB["ed25519:a"] = document["verify_keys"].(map[string]any)["ed25519:a"]
	for name, served := range map[string][]byte{
		"no JSON":            []byte("hello"),
		"a key twice":        append(append([]byte{}, good[:len(good)-1]...), []byte(`,"server_name":"`+p.name+`"}`)...),
		"changed":            changed("valid_until_ts", start.Add(2*time.Hour).UnixMilli()),
		"not signed":         changed("signatures", map[string]any{}),
		"of another server":  resigned("server_name", "other.test"),
		"without keys":       resigned("verify_keys", map[string]any{}),
		"of small order":     resigned("verify_keys", smallOrder),
		"with an unsigned b": resigned("verify_keys", withB),
		"too large":          append(good, make([]byte, maximumDocument)...),
	} {
		p.change(func() { p.answer = func(w http.ResponseWriter) { _, _ = w.Write(served) } })
		k.advance(askAgainAfter)
		_, err := k.KeySource().ServerKey(p.name, "ed25519:a")
		assert.Error(t, err, name)
		assert.NotErrorIs(t, err, pseudonym.ErrNoSuchKey, name)
	}
	p.change(func() { p.answer = func(w http.ResponseWriter) { _, _ = w.Write(good) } })
	k.advance(askAgainAfter)
	_, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	assert.NoError(t, err)
}

func TestOldKeysAreValidUntilTheyExpired(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	expired := start.Add(-time.Hour).UnixMilli()
	old := identity.GenerateKeyPair()
	p.old["ed25519:old"] = map[string]any{"key": old.Public, "expired_ts": expired}

	key, err := k.KeySource().ServerKey(p.name, "ed25519:old")
	require.NoError(t, err)
	assert.Equal(t, expired, key.ValidUntil)

	got, err := k.ServerKeys().ServerKey(t.Context(), p.name, "ed25519:old", expired)
	require.NoError(t, err)
	assert.Equal(t, old.Private.Public(), got)
	_, err = k.ServerKeys().ServerKey(t.Context(), p.name, "ed25519:old", expired+1)
	assert.ErrorContains(t, err, "was valid until")
	assert.EqualValues(t, 1, p.asked.Load(), "an old key does not become younger")
}

func TestKeysAreFetchedAgainWhenTheyEnd(t *testing.T) {
	p, k := newPublisher(t), newRing(t, "own.test", t.TempDir())
	firstEnd := p.until.UnixMilli()
	_, err := k.ServerKeys().ServerKey(t.Context(), p.name, "ed25519:a", firstEnd)
	require.NoError(t, err)

	p.change(func() { p.until = start.Add(365 * 24 * time.Hour) })
	k.advance(2 * time.Hour)
	key, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	require.NoError(t, err)
	assert.Equal(t, start.Add(2*time.Hour+longestValidity).UnixMilli(), key.ValidUntil, "at most 7 days")
	assert.EqualValues(t, 2, p.asked.Load())

	p.http.Close()
	k.advance(longestValidity + time.Hour)
	after, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	require.NoError(t, err)
	assert.Equal(t, key, after, "what it said of the time before holds")
	_, err = k.ServerKeys().ServerKey(t.Context(), p.name, "ed25519:a", key.ValidUntil)
	assert.NoError(t, err)
	_, err = k.ServerKeys().ServerKey(t.Context(), p.name, "ed25519:a", key.ValidUntil+1)
	assert.Error(t, err)
}

func TestKeysOfOthersAreRemembered(t *testing.T) {
	dir := t.TempDir()
	p, k := newPublisher(t), newRing(t, "own.test", dir)
	_, err := k.KeySource().ServerKey(p.name, "ed25519:a")
	require.NoError(t, err)
	k.close()
	p.http.Close()
	_, err = newRing(t, "own.test", dir).KeySource().ServerKey(p.name, "ed25519:a")
	assert.NoError(t, err)
}

func TestNotary(t *testing.T) {
	p, dead, k := newPublisher(t), newPublisher(t), newRing(t, "own.test", t.TempDir())
	dead.http.Close()
	documents, err := k.Query(t.Context(), map[string]Queried{p.name: {"ed25519:a": 0}, dead.name: nil, "own.test": nil})
	require.NoError(t, err)
	require.Len(t, documents, 2)
	own := k.Signer()
	for _, document := range documents {
		assert.NoError(t, pdu.VerifyJSON(document, own.Name, own.KeyID, own.Key.Public().(ed25519.PublicKey)))
		var named struct {
			ServerName string `json:"server_name"`
		}
		require.NoError(t, json.Unmarshal(document, &named))
		if named.ServerName == p.name {
			assert.NoError(t, pdu.VerifyJSON(document, p.name, "ed25519:a", p.public("ed25519:a")))
		}
	}

	// The publisher is asked again only for what the known document has not.
	_, err = k.Query(t.Context(), map[string]Queried{p.name: nil})
	require.NoError(t, err)
	k.advance(askAgainAfter)
	_, err = k.Query(t.Context(), map[string]Queried{p.name: {"ed25519:a": p.until.UnixMilli()}})
	require.NoError(t, err)
	assert.EqualValues(t, 1, p.asked.Load())
	documents, err = k.Query(t.Context(), map[string]Queried{p.name: {"ed25519:a": p.until.UnixMilli() + 1}})
	require.NoError(t, err)
	assert.EqualValues(t, 2, p.asked.Load())
	assert.Len(t, documents, 1, "better an old one than none")

	many := map[string]Queried{}
	for range maximumQueried + 1 {
		many[newKeyID()] = nil
	}
	_, err = k.Query(t.Context(), many)
	assert.Error(t, err)
}
