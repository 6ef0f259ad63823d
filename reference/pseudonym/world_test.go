package pseudonym

// This file is the small world of the tests: servers with signing keys, users with sender keys, and their events.

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

const (
	testRoom = "!room:one.test"
	testTime = int64(1_700_000_000_000)
	aliceID  = "@alice:one.test"
	bobID    = "@bob:two.test"
)

// bothDialects runs a test in each of them, as the server one.test.
func bothDialects(t *testing.T, test func(t *testing.T, w *world)) {
	for _, dialect := range []pdu.Dialect{pdu.DialectMSC4014, pdu.DialectDendrite} {
		t.Run(string(dialect), func(t *testing.T) { test(t, newWorld(t, dialect)) })
	}
}

type world struct {
	t       *testing.T
	r       Rules
	signers map[string]ServerSigner
	dead    map[string]bool  // servers whose keys cannot be had
	validTo map[string]int64 // of a server's key; testTime and a day unless said
	keys    map[string]identity.KeyPair
}

func newWorld(t *testing.T, dialect pdu.Dialect) *world {
	return &world{t: t, r: Rules{Dialect: dialect, Server: "one.test", Readings: DefaultReadings(dialect)}, signers: map[string]ServerSigner{}, dead: map[string]bool{},
		validTo: map[string]int64{}, keys: map[string]identity.KeyPair{}}
}

// key returns the key of a user in the room.
func (w *world) key(userID string) identity.KeyPair {
	if _, ok := w.keys[userID]; !ok {
		w.keys[userID] = identity.GenerateKeyPair()
	}
	return w.keys[userID]
}

func (w *world) signer(server string) ServerSigner {
	if _, ok := w.signers[server]; !ok {
		_, private, err := ed25519.GenerateKey(nil)
		require.NoError(w.t, err)
		w.signers[server] = ServerSigner{Name: server, KeyID: "ed25519:a", Key: private}
	}
	return w.signers[server]
}

var errUnreachable = errors.New("connection refused")

// ServerKey makes the world a KeySource.
func (w *world) ServerKey(server, keyID string) (PublishedKey, error) {
	if w.dead[server] {
		return PublishedKey{}, errUnreachable
	}
	signer := w.signer(server)
	if keyID != signer.KeyID {
		return PublishedKey{}, ErrNoSuchKey
	}
	validUntil, ok := w.validTo[server]
	if !ok {
		validUntil = testTime + 86_400_000
	}
	return PublishedKey{Key: signer.Key.Public().(ed25519.PublicKey), ValidUntil: validUntil}, nil
}

// mapping returns a user's signed mapping.
func (w *world) mapping(userID string) []byte {
	domain, err := identity.UserIDDomain(userID)
	require.NoError(w.t, err)
	mapping, err := w.r.NewMapping(w.key(userID).Public, userID, w.signer(domain))
	require.NoError(w.t, err)
	return mapping
}

// member returns a user's own member event with a mapping, or without one.
func (w *world) member(userID, membership string, mapping []byte, change ...func(object)) *pdu.Event {
	return w.memberBy(w.key(userID), userID, membership, mapping, change...)
}

func (w *world) memberBy(sender identity.KeyPair, userID, membership string, mapping []byte, change ...func(object)) *pdu.Event {
	content := object{}
	content.set("membership", membership)
	content.set("displayname", "a name")
	if mapping != nil {
		content[pdu.MappingField] = mapping
	}
	for _, f := range change {
		f(content)
	}
	return w.event(sender, memberEvent, string(w.key(userID).Public), content.raw())
}

// join returns a user's right join.
func (w *world) join(userID string) *pdu.Event { return w.member(userID, "join", w.mapping(userID)) }

// event returns a state event.
func (w *world) event(sender identity.KeyPair, eventType, stateKey string, content []byte) *pdu.Event {
	event, err := w.r.Build(w.draft(eventType, &stateKey, content), sender, w.signer("one.test"))
	require.NoError(w.t, err)
	return event
}

func (w *world) draft(eventType string, stateKey *string, content []byte) Draft {
	return Draft{Type: eventType, RoomID: testRoom, StateKey: stateKey, Content: content, PrevEvents: []string{"$p"},
		AuthEvents: []string{"$a"}, Depth: 3, OriginServerTS: testTime}
}

// room returns the directory of a room with joined users.
func (w *world) room(users ...string) *Directory {
	d := NewDirectory(w.r)
	for i, userID := range users {
		w.learn(d, w.join(userID), int64(i+1), true)
	}
	return d
}

// parse parses an event.
func (w *world) parse(raw []byte) *pdu.Event {
	w.t.Helper()
	event, err := pdu.Parse(raw, w.r.Format())
	require.NoError(w.t, err)
	return event
}

// learn judges a member event and gives it to the directory.
func (w *world) learn(d *Directory, event *pdu.Event, position int64, current bool) Change {
	key, _ := event.StateKey()
	return d.Learn(Seen{Key: identity.SenderKey(key), EventID: event.ID(), Membership: event.Membership(),
		Current: current, Position: position, Judgement: w.r.Judge(event, w)})
}

func (w *world) read(raw []byte) object {
	w.t.Helper()
	o, err := parseObject(raw, "a test's JSON")
	require.NoError(w.t, err)
	return o
}

// altered returns JSON with one field changed, or gone if value is nil.
func (w *world) altered(raw []byte, field string, value any) []byte {
	o := w.read(raw)
	if value == nil {
		delete(o, field)
	} else {
		o.set(field, value)
	}
	return o.raw()
}

// changed returns an event with one field changed, or gone if value is nil. Its signatures stay as they are.
func (w *world) changed(event *pdu.Event, field string, value any) *pdu.Event {
	w.t.Helper()
	return w.parse(w.altered(event.JSON(), field, value))
}

// signed returns an event with the signature of a key added.
func (w *world) signed(event *pdu.Event, key identity.KeyPair) *pdu.Event {
	signed, err := w.r.sign(event, key)
	require.NoError(w.t, err)
	return signed
}

func (w *world) set(requirement string, reading Reading) {
	w.t.Helper()
	require.NoError(w.t, w.r.Readings.Set(requirement, reading))
}

func toJSON(t *testing.T, value any) []byte {
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	return raw
}
