// This file builds rooms for tests: events of any format, by actors who are sender keys or user IDs as the format wants.

package rules

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// formats are all that the package knows, by name.
var formats = map[string]pdu.Format{
	"msc4014":  pdu.FormatMSC4014,
	"letter":   pdu.FormatMSC4014Letter,
	"dendrite": pdu.FormatDendrite,
	"v10":      pdu.FormatV10,
	"v11":      pdu.FormatV11,
}

// pseudonymous are those in which keys act.
var pseudonymous = []string{"msc4014", "letter", "dendrite"}

const testRoomID = "!room:origin.test"

// room is a room being built: its events, and the state after the last one that was added.
type room struct {
	t        *testing.T
	format   pdu.Format
	events   map[string]*pdu.Event
	rejected map[string]bool
	state    State
	heads    []string
	clock    *int64 // shared by forks, so that no two events are of the same moment
}

func newRoom(t *testing.T, f pdu.Format) *room {
	return &room{t: t, format: f, events: map[string]*pdu.Event{}, rejected: map[string]bool{}, state: State{}, clock: new(int64)}
}

func (r *room) Event(id string) *pdu.Event { return r.events[id] }
func (r *room) Rejected(id string) bool    { return r.rejected[id] }

// fork returns the room as it is, for events that the original does not get; both find the events of each other.
func (r *room) fork() *room {
	other := *r
	other.state = State{}
	for key, event := range r.state {
		other.state[key] = event
	}
	return &other
}

func keyOf(name string) identity.KeyPair {
	seed := sha256.Sum256([]byte(name))
	return identity.KeyPairOf(ed25519.NewKeyFromSeed(seed[:]))
}

// id returns who acts under a name: alice is of origin.test, everybody else of other.test.
func (r *room) id(name string) string {
	if r.format.Pseudonymous {
		return string(keyOf(name).Public)
	}
	if name == "alice" {
		return "@alice:origin.test"
	}
	return "@" + name + ":other.test"
}

// object is JSON. Users in power levels are named by it as it stands.
type object = map[string]any

// draft returns an unsigned event with everything in its place.
func (r *room) draft(sender, eventType string, stateKey *string, content object) object {
	*r.clock++
	encoded, err := json.Marshal(content)
	require.NoError(r.t, err)
	auth, prev := []string{}, append([]string{}, r.heads...)
	for _, key := range AuthKeys(eventType, r.id(sender), stateKey, encoded) {
		if event := r.state[key]; event != nil {
			auth = append(auth, event.ID())
		}
	}
	event := object{
		"type": eventType, "room_id": testRoomID, r.format.SenderField(): r.id(sender), "content": content,
		"origin_server_ts": *r.clock, "depth": len(r.events) + 1, "prev_events": prev, "auth_events": auth,
	}
	if stateKey != nil {
		event["state_key"] = *stateKey
	}
	return event
}

// sign signs a draft as its sender has to, and as those have to who are named besides.
func (r *room) sign(draft object, signers ...string) []byte {
	raw, err := json.Marshal(draft)
	require.NoError(r.t, err)
	for _, name := range signers {
		entity, keyID := string(keyOf(name).Public), pdu.SenderKeyID
		if !r.format.Pseudonymous {
			entity, _ = identity.UserIDDomain(r.id(name))
			keyID = "ed25519:server"
		}
		raw, err = pdu.Sign(raw, r.format, entity, keyID, keyOf(name).Private)
		require.NoError(r.t, err)
	}
	return raw
}

// event builds an event and does not add it.
func (r *room) event(sender, eventType string, stateKey *string, content object, alsoSignedBy ...string) *pdu.Event {
	return r.read(r.sign(r.draft(sender, eventType, stateKey, content), append(alsoSignedBy, sender)...))
}

func (r *room) read(raw []byte) *pdu.Event {
	event, err := pdu.Parse(raw, r.format)
	require.NoError(r.t, err)
	r.events[event.ID()] = event
	return event
}

// member builds a member event of target.
func (r *room) member(sender, target, membership string) *pdu.Event {
	return r.event(sender, memberType, new(r.id(target)), object{"membership": membership})
}

// add adds an event that the rules must allow.
func (r *room) add(e *pdu.Event) *pdu.Event {
	require.NoError(r.t, Rules{}.Allowed(e, r.state), "%s", e.JSON())
	if key, ok := e.State(); ok {
		r.state[key] = e
	}
	r.heads = []string{e.ID()}
	return e
}

// create adds a create event by alice and her join.
func (r *room) create() *room {
	content := object{"room_version": r.format.RoomVersion}
	if r.format.RoomVersion == "10" {
		content["creator"] = r.id("alice")
	}
	r.add(r.event("alice", createType, new(""), content))
	r.add(r.member("alice", "alice", "join"))
	return r
}

// levels returns power levels in which alice has 100, bob 50, and extra is set over the defaults.
func (r *room) levels(extra object) object {
	content := object{"users": object{r.id("alice"): 100, r.id("bob"): 50}}
	for name, value := range extra {
		content[name] = value
	}
	return content
}

// populated returns a public room of alice (100), bob (50) and carol (0).
func populated(t *testing.T, f pdu.Format) *room {
	r := newRoom(t, f).create()
	r.add(r.event("alice", powerLevelsType, new(""), r.levels(nil)))
	r.joinRule("public")
	r.add(r.member("bob", "bob", "join"))
	r.add(r.member("carol", "carol", "join"))
	return r
}

func (r *room) joinRule(rule string) {
	r.add(r.event("alice", joinRulesType, new(""), object{"join_rule": rule}))
}

// inFormats runs a test once for each of the named formats, or for all.
func inFormats(t *testing.T, names []string, run func(t *testing.T, f pdu.Format)) {
	if names == nil {
		for name := range formats {
			names = append(names, name)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { t.Parallel(); run(t, formats[name]) })
	}
}
