package federation

// Server keys: the peer's own, which it publishes, and those of others, which it fetches to verify requests, mappings and (in
// ordinary rooms) events. None of this is under test, so it can use gomatrixserverlib.

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/fclient"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/tidwall/gjson"

	"msc4014/helpers/foreign"
	"msc4014/helpers/pseudoid"
)

// KeyDocument returns the peer's signed key document, as /_matrix/key/v2/server serves it. It is valid for a day.
func (p *Peer) KeyDocument() ([]byte, error) {
	signer := p.Signer()
	document, err := marshal(map[string]any{
		"server_name":     p.name,
		"valid_until_ts":  time.Now().Add(24 * time.Hour).UnixMilli(),
		"verify_keys":     map[string]any{signer.KeyID: map[string]string{"key": encodeKey(signer.publicKey())}},
		"old_verify_keys": map[string]any{},
	})
	if err != nil {
		return nil, err
	}
	return pseudoid.SignJSON(document, signer.Entity, signer.KeyID, signer.Key)
}

func encodeKey(key ed25519.PublicKey) string { return base64.RawStdEncoding.EncodeToString(key) }

func (p *Peer) serverKeys(*Request) Answer {
	document, err := p.KeyDocument()
	if err != nil {
		return unexpected(http.StatusInternalServerError, "M_UNKNOWN", "the peer could not sign its keys: "+err.Error())
	}
	return Answer{Status: http.StatusOK, Body: document}
}

// keyQuery answers as a notary, but only for the peer itself.
func (p *Peer) keyQuery(request *Request) Answer {
	asked := request.parameter(0) == p.name
	gjson.GetBytes(request.Body, "server_keys").ForEach(func(name, _ gjson.Result) bool {
		asked = asked || name.String() == p.name
		return true
	})
	list := []byte("[]")
	if asked {
		document, err := p.KeyDocument()
		if err != nil {
			return unexpected(http.StatusInternalServerError, "M_UNKNOWN", "the peer could not sign its keys: "+err.Error())
		}
		list = append(append([]byte("["), document...), ']')
	}
	return Answer{Status: http.StatusOK, Body: object(field{"server_keys", list})}
}

// keyCache holds the published keys of servers, for all peers of a switchboard.
type keyCache struct {
	mu      sync.Mutex
	servers map[string]*cachedKeys
}

type cachedKeys struct {
	mu   sync.Mutex // held while the keys are fetched, so that they are fetched once
	keys map[string]ed25519.PublicKey
}

func newKeyCache() *keyCache { return &keyCache{servers: map[string]*cachedKeys{}} }

func (c *keyCache) server(name string) *cachedKeys {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.servers[name]
	if entry == nil {
		entry = &cachedKeys{}
		c.servers[name] = entry
	}
	return entry
}

// ServerKey returns a published key of a server. It fetches the server's keys unless the key is cached.
func (p *Peer) ServerKey(ctx context.Context, serverName, keyID string) (ed25519.PublicKey, error) {
	if signer := p.Signer(); serverName == p.name && keyID == signer.KeyID {
		return signer.publicKey(), nil
	}
	entry := p.sw.keys.server(serverName)
	entry.mu.Lock()
	defer entry.mu.Unlock()
	if key, ok := entry.keys[keyID]; ok {
		return key, nil
	}
	keys, err := p.fetchKeys(ctx, serverName)
	if err != nil {
		return nil, err
	}
	entry.keys = keys
	if key, ok := keys[keyID]; ok {
		return key, nil
	}
	return nil, fmt.Errorf("%s publishes no key %s", serverName, keyID)
}

func (p *Peer) fetchKeys(ctx context.Context, serverName string) (map[string]ed25519.PublicKey, error) {
	answer, err := p.ask(ctx, serverName, http.MethodGet, "/_matrix/key/v2/server", nil)
	if err != nil {
		return nil, err
	}
	if !answer.OK() || answer.Unread != nil {
		return nil, fmt.Errorf("%s did not return its keys to %s: %s", serverName, p.name, answer)
	}
	if err := foreign.CheckWork(answer.Body); err != nil {
		return nil, fmt.Errorf("the keys of %s: %w", serverName, err)
	}
	var document gomatrixserverlib.ServerKeys
	if err := json.Unmarshal(answer.Body, &document); err != nil {
		return nil, fmt.Errorf("the keys of %s are not a key document: %w", serverName, err)
	}
	checks, valid := gomatrixserverlib.CheckKeys(spec.ServerName(serverName), time.Now(), document)
	if !checks.AllChecksOK {
		return nil, fmt.Errorf("the key document of %s is invalid: right server name %t, not expired %t, signed by its keys %t",
			serverName, checks.MatchingServerName, checks.FutureValidUntilTS, checks.AllEd25519ChecksOK != nil && *checks.AllEd25519ChecksOK)
	}
	keys := map[string]ed25519.PublicKey{}
	for keyID, key := range valid {
		keys[string(keyID)] = ed25519.PublicKey(key)
	}
	return keys, nil
}

// knownKeys returns a look-up of a server's keys that fetches nothing: it has those of our own peers, and cached ones. It is nil
// if there are none.
func (sw *Switchboard) knownKeys(serverName string) func(serverName, keyID string) (ed25519.PublicKey, error) {
	keys := map[string]ed25519.PublicKey{}
	if peer := sw.Peer(serverName); peer != nil {
		signer := peer.Signer()
		keys[signer.KeyID] = signer.publicKey()
	} else if entry := sw.keys.server(serverName); entry.mu.TryLock() {
		maps.Copy(keys, entry.keys)
		entry.mu.Unlock()
	}
	if len(keys) == 0 {
		return nil
	}
	return func(name, keyID string) (ed25519.PublicKey, error) {
		if key, ok := keys[keyID]; ok && name == serverName {
			return key, nil
		}
		return nil, fmt.Errorf("%s publishes no key %s", name, keyID)
	}
}

// keyTimeout bounds fetching keys while a request waits for its answer.
const keyTimeout = 5 * time.Second

// keysWithin returns a look-up of keys that is bounded by ctx and keyTimeout, for handlers.
func (p *Peer) keysWithin(ctx context.Context) func(serverName, keyID string) (ed25519.PublicKey, error) {
	return func(serverName, keyID string) (ed25519.PublicKey, error) {
		ctx, cancel := context.WithTimeout(ctx, keyTimeout)
		defer cancel()
		return p.ServerKey(ctx, serverName, keyID)
	}
}

// claimedOrigin returns the origin in the X-Matrix header, or "".
func (r *Request) claimedOrigin() string {
	for _, header := range r.Header.Values("Authorization") {
		if scheme, origin, _, _, _ := fclient.ParseAuthorization(header); scheme == "X-Matrix" {
			return string(origin)
		}
	}
	return ""
}

// authenticate verifies the X-Matrix header (server-server API, request authentication) and sets request.Origin and
// request.Authentication, which refuseUnauthenticated reads.
func (p *Peer) authenticate(request *Request) {
	free := request.needsNoAuthentication()
	if !free {
		request.Authentication = "no X-Matrix header"
	}
	for _, header := range request.Header.Values("Authorization") {
		scheme, origin, destination, keyID, signature := fclient.ParseAuthorization(header)
		if scheme != "X-Matrix" {
			continue
		}
		request.Origin = string(origin)
		if free {
			return
		}
		request.Authentication = p.verifyRequest(request, string(origin), string(destination), string(keyID), signature)
		if request.Authentication == "" {
			return
		}
	}
}

func (p *Peer) verifyRequest(request *Request, origin, destination, keyID, signature string) string {
	if destination != "" && destination != p.name {
		return "signed for " + destination + ", not for " + p.name
	}
	fields := []field{text("destination", p.name), text("method", request.Method), text("origin", origin), text("uri", request.URI)}
	if len(request.Body) > 0 {
		if !gjson.ValidBytes(request.Body) {
			return "the body is not JSON"
		}
		fields = append(fields, field{"content", request.Body})
	}
	fields = append(fields, text("signatures", map[string]any{origin: map[string]string{keyID: signature}}))
	key, err := p.keysWithin(request.http.Context())(origin, keyID)
	if err != nil {
		request.keysMissing = true
		return "could not verify: " + err.Error()
	}
	if err := gomatrixserverlib.VerifyJSON(origin, gomatrixserverlib.KeyID(keyID), key, object(fields...)); err != nil {
		return "bad signature of " + origin + ": " + err.Error()
	}
	return ""
}

// refuseUnauthenticated refuses a request without a valid X-Matrix header. A request is accepted if its origin's keys cannot be
// fetched: a check may have cut that server off.
func (p *Peer) refuseUnauthenticated(request *Request) (Answer, bool) {
	if request.Authentication == "" || request.keysMissing {
		return Answer{}, false
	}
	return unexpected(http.StatusUnauthorized, "M_UNAUTHORIZED", "the request is not authenticated: "+request.Authentication), true
}

// needsNoAuthentication reports whether the endpoint of the request requires no authentication.
func (r *Request) needsNoAuthentication() bool {
	switch r.Endpoint {
	case Version, ServerKeys, KeyQuery, WellKnown:
		return true
	}
	return false
}
