package monitor

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
)

// inSync is a /sync answer with one event in a timeline.
func inSync(event string) string {
	return `{"next_batch":"s1","rooms":{"join":{"!r:hs1":{"timeline":{"events":[` + event + `]}}}}}`
}

// Cases for each rule of client views: KEY is a sender key of the candidate, USER its user ID, MORE what a faulty event has in
// addition. Nothing may be found in the valid variant of an answer, nor if the key is a peer's.
var clientRules = []struct {
	name, path, faulty, valid string
	requirement, detail       string
}{
	{
		"sender", "/v3/sync",
		inSync(`{"type":"m.room.message","event_id":"$e","sender":"KEY","sender_key":"KEY","content":{}}`),
		inSync(`{"type":"m.room.message","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","content":{}}`),
		"client-view/sender-is-user-id", "GET /v3/sync: m.room.message $e has the sender key KEY as sender",
	},
	{
		"sender, in a sliding sync", "/unstable/org.matrix.simplified_msc3575/sync",
		`{"rooms":{"!r:hs1":{"timeline":[{"type":"m.room.message","event_id":"$e","sender":"KEY","content":{}}]}}}`,
		`{"rooms":{"!r:hs1":{"timeline":[{"type":"m.room.message","event_id":"$e","sender":"@u:hs1","content":{}}]}}}`,
		"client-view/sender-is-user-id", "$e has the sender key KEY as sender",
	},
	{
		"state key of a member event", "/v3/rooms/!r:hs1/members",
		`{"chunk":[{"type":"m.room.member","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"KEY","content":{"membership":"join"}}]}`,
		`{"chunk":[{"type":"m.room.member","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"@u:hs1","content":{"membership":"join",
			"displayname":"KEY","join_authorised_via_users_server":"KEY","mxid_mapping":{"user_room_key":"KEY","user_id":"@u:hs1"}}}]}`,
		"client-view/member-state-key-is-user-id", "m.room.member $e has state key KEY",
	},
	{
		"power levels", "/v3/rooms/!r:hs1/state",
		`[{"type":"m.room.power_levels","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"","content":{"users":{"KEY":100}}}]`,
		`[{"type":"m.room.power_levels","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"","content":{"users":{"@u:hs1":100},"note":"KEY"}}]`,
		"client-view/power-levels-read", "m.room.power_levels $e gives power to the key KEY",
	},
	{
		"power levels, as content alone", "/v3/rooms/!r:hs1/state/m.room.power_levels/",
		`{"users":{"KEY":100}}`, `{"users":{"@u:hs1":100}}`,
		"client-view/power-levels-read", "gives power to the key KEY",
	},
	{
		"creator", "/v3/rooms/!r:hs1/event/$e",
		`{"type":"m.room.create","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"","content":{"creator":"KEY"}}`,
		`{"type":"m.room.create","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"","content":{"creator":"@u:hs1","made_by":"KEY"}}`,
		"client-view/create-creator", "m.room.create $e has creator KEY",
	},
	{
		"creator, as content alone", "/v3/rooms/!r:hs1/state/m.room.create",
		`{"creator":"KEY"}`, `{"creator":"@u:hs1"}`,
		"client-view/create-creator", "has creator KEY",
	},
	{
		"joined members", "/v3/rooms/!r:hs1/joined_members",
		`{"joined":{"KEY":{"display_name":"u"}}}`, `{"joined":{"@u:hs1":{"display_name":"KEY"}}}`,
		"client-view/joined-members", "GET /v3/rooms/!r:hs1/joined_members: keyed by sender key KEY",
	},
	{
		"prev_sender", "/v3/rooms/!r:hs1/messages?dir=b",
		`{"chunk":[{"type":"m.room.topic","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"","content":{},"unsigned":{"prev_sender":"KEY"}}]}`,
		`{"chunk":[{"type":"m.room.topic","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"","content":{},"unsigned":{"prev_sender":"@u:hs1","transaction_id":"KEY"}}]}`,
		"client-view/unsigned", "m.room.topic $e has the sender key KEY as prev_sender",
	},
	{
		"prev_content", "/v3/rooms/!r:hs1/context/$e",
		`{"event":{"type":"m.room.power_levels","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"","content":{},"unsigned":{"prev_content":{"users":{"KEY":50}}}}}`,
		`{"event":{"type":"m.room.power_levels","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"","content":{},"unsigned":{"prev_content":{"users":{"@u:hs1":50}}}}}`,
		"client-view/unsigned", "m.room.power_levels $e in unsigned.prev_content gives power to the key KEY",
	},
	{
		"redacted_because", "/v3/rooms/!r:hs1/event/$e",
		`{"type":"m.room.message","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","content":{},"unsigned":{"redacted_because":
			{"type":"m.room.redaction","event_id":"$f","sender":"KEY","content":{}}}}`,
		`{"type":"m.room.message","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","content":{},"unsigned":{"redacted_because":
			{"type":"m.room.redaction","event_id":"$f","sender":"@u:hs1","sender_key":"KEY","content":{"reason":"KEY"}}}}`,
		"client-view/unsigned", "m.room.message $e: m.room.redaction $f has the sender key KEY as sender",
	},
	{
		"bundled relations", "/v1/rooms/!r:hs1/relations/$e",
		`{"chunk":[{"type":"m.room.message","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","content":{},"unsigned":{"m.relations":{"m.thread":
			{"latest_event":{"type":"m.room.message","event_id":"$f","sender":"KEY","content":{}}}}}}]}`,
		`{"chunk":[{"type":"m.room.message","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","content":{},"unsigned":{"m.relations":{"m.thread":
			{"latest_event":{"type":"m.room.message","event_id":"$f","sender":"@u:hs1","sender_key":"KEY","content":{"body":"KEY"}}}}}}]}`,
		"client-view/unsigned", "m.room.message $f has the sender key KEY as sender",
	},
	{
		"stripped state of an invite", "/v3/sync",
		`{"rooms":{"invite":{"!r:hs1":{"invite_state":{"events":[{"type":"m.room.name","sender":"KEY","state_key":"","content":{"name":"KEY"}}]}}}}}`,
		`{"rooms":{"invite":{"!r:hs1":{"invite_state":{"events":[{"type":"m.room.name","sender":"@u:hs1","state_key":"","content":{"name":"KEY"}},
			{"type":"com.example","state_key":"","content":{"about":"KEY"}}]}}}}}`,
		"client-view/sender-is-user-id", "m.room.name (without event ID) has the sender key KEY as sender",
	},
	{
		"stripped state in unsigned", "/v3/sync",
		inSync(`{"type":"m.room.member","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"@v:hs1","content":{"membership":"invite"},
			"unsigned":{"invite_room_state":[{"type":"m.room.member","sender":"@u:hs1","state_key":"KEY","content":{"membership":"join"}}]}}`),
		inSync(`{"type":"m.room.member","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","state_key":"@v:hs1","content":{"membership":"invite"},
			"unsigned":{"invite_room_state":[{"type":"m.room.member","sender":"@u:hs1","state_key":"@u:hs1","content":{"membership":"join"}}]}}`),
		"client-view/unsigned", "m.room.member (without event ID) has state key KEY",
	},
	{
		"the field that MSC4014 took back", "/v3/sync",
		inSync(`{"type":"m.room.message","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","verified_sender_mxid":"@u:hs1","content":{}}`),
		inSync(`{"type":"m.room.message","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","content":{"verified_sender_mxid":"@u:hs1"}}`),
		"client-view/no-verified-sender-field", "m.room.message $e",
	},
	{
		"heroes", "/v3/sync",
		`{"rooms":{"join":{"!r:hs1":{"summary":{"m.heroes":["KEY"]},"timeline":{"events":[{"type":"x","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","content":{}}]}}}}}`,
		`{"rooms":{"join":{"!r:hs1":{"summary":{"m.heroes":["@u:hs1"]},"timeline":{"events":[{"type":"x","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","content":{}}]}}}}}`,
		keyElsewhere, "GET /v3/sync: m.heroes is the sender key KEY",
	},
	{
		"typing", "/v3/sync",
		`{"rooms":{"join":{"!r:hs1":{"ephemeral":{"events":[{"type":"m.typing","content":{"user_ids":["KEY"]}}]}}}}}`,
		`{"rooms":{"join":{"!r:hs1":{"ephemeral":{"events":[{"type":"m.typing","content":{"user_ids":["@u:hs1"]}}]}}}}}`,
		keyElsewhere, "user_ids is the sender key KEY",
	},
	{
		"receipts", "/v3/sync",
		`{"rooms":{"join":{"!r:hs1":{"ephemeral":{"events":[{"type":"m.receipt","content":{"$e":{"m.read":{"KEY":{"ts":1}}}}}]}}}}}`,
		`{"rooms":{"join":{"!r:hs1":{"ephemeral":{"events":[{"type":"m.receipt","content":{"$e":{"m.read":{"@u:hs1":{"ts":1}}}}}]}}}}}`,
		keyElsewhere, "m.read has the sender key KEY as a member",
	},
	{
		"profiles around a search result", "/v3/search",
		`{"search_categories":{"room_events":{"results":[{"context":{"profile_info":{"KEY":{"displayname":"u"}}}}]}}}`,
		`{"search_categories":{"room_events":{"highlights":["KEY"],"results":[{"context":{"profile_info":{"@u:hs1":{"displayname":"KEY"}}}}]}}}`,
		keyElsewhere, "profile_info has the sender key KEY as a member",
	},
	{
		"a field of an event that clients do not know", "/v3/sync",
		inSync(`{"type":"x","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","origin":"KEY","content":{}}`),
		inSync(`{"type":"x","event_id":"$e","sender":"@u:hs1","sender_key":"KEY","origin":"hs1","content":{"origin":"KEY"}}`),
		keyElsewhere, "origin is the sender key KEY",
	},
}

func TestClientRules(t *testing.T) {
	for _, rule := range clientRules {
		t.Run(rule.name, func(t *testing.T) {
			key := newKey()
			withKey := func(text string) string { return strings.ReplaceAll(text, "KEY", key) }
			// The candidate's own events tell whose key it is, before or after.
			own := inSync(withKey(`{"type":"m.room.member","event_id":"$own","sender":"@u:hs1","sender_key":"KEY","state_key":"@u:hs1","content":{}}`))

			for _, order := range []string{"before", "after"} {
				w := newWatch(pseudoid.FormatDendrite)
				if order == "before" {
					w.get("/v3/sync", own)
				}
				w.get(rule.path, withKey(rule.faulty))
				if order == "after" {
					w.get("/v3/sync", own)
				}
				if assert.Equal(t, []string{rule.requirement}, w.broken(), order) {
					assert.Contains(t, w.found[0].Detail, withKey(rule.detail))
				}
			}

			w := newWatch(pseudoid.FormatDendrite)
			w.get("/v3/sync", own)
			w.get(rule.path, withKey(rule.valid))
			assert.Empty(t, w.found, "a valid answer")

			w = newWatch(pseudoid.FormatDendrite)
			w.keys = []string{key}
			w.get("/v3/sync", own)
			w.get(rule.path, withKey(rule.faulty))
			if rule.requirement != "client-view/no-verified-sender-field" || !strings.Contains(rule.faulty, "sender_key") {
				assert.Empty(t, w.found, "a key that a peer made")
			}
		})
	}
}

func TestEventsOfPeersAreIgnored(t *testing.T) {
	w, key := newWatch(pseudoid.FormatDendrite), newKey()
	w.events = []string{"$forged"}
	w.get("/v3/sync", inSync(`{"type":"m.room.member","event_id":"$forged","sender":"`+key+`","state_key":"`+key+`","verified_sender_mxid":"@x:hs1","content":{},
		"unsigned":{"prev_sender":"`+key+`"}}`))
	assert.Empty(t, w.found)
	w.get("/v3/sync", inSync(`{"type":"m.room.topic","event_id":"$own","sender":"@a:hs1","content":{},
		"unsigned":{"redacted_because":{"type":"m.room.redaction","event_id":"$forged","sender":"`+key+`","content":{}}}}`))
	assert.Empty(t, w.found, "nor in unsigned of another")
}

func TestStrippedStateFromPeersIsIgnored(t *testing.T) {
	w, key, peers := newWatch(pseudoid.FormatDendrite), newKey(), newKey()
	w.keys = []string{peers}
	invite := func(inviter string) string {
		return `{"rooms":{"invite":{"!r:peer":{"invite_state":{"events":[
			{"type":"m.room.member","sender":"@x:peer","state_key":"@x:peer","content":{"membership":"join","mxid_mapping":{"user_room_key":"` + inviter + `"}}},
			{"type":"m.room.join_rules","sender":"` + key + `","state_key":"","content":{}}]}}}}}`
	}
	w.get("/v3/sync", invite(peers))
	assert.Empty(t, w.found)
	w.get("/v3/sync", `{"rooms":{"invite":{"!r:peer":{"invite_state":{"events":[{"type":"m.room.member","sender":"@x:peer","state_key":"`+peers+`","content":{}},
		{"type":"m.room.join_rules","sender":"`+key+`","state_key":"","content":{}}]}}}}}`)
	assert.Empty(t, w.found)
	w.get("/v3/sync", invite(newKey()))
	assert.Equal(t, []string{"client-view/sender-is-user-id"}, w.broken())
}

func TestLookAlikesAreNoFindings(t *testing.T) {
	// Strings of 43 characters that are curve points, like every second hash, but no sender keys.
	hash := ""
	for i := byte(0); hash == ""; i++ {
		sum := sha256.Sum256([]byte{i})
		if text := pseudoid.EncodeBase64(sum[:]); newWatch(pseudoid.FormatDendrite).looksLikeKey(text) {
			hash = text
		}
	}
	for path, body := range map[string]string{
		"/v3/sync": `{"next_batch":"HASH","org.example.checksum":"HASH","device_one_time_keys_count":{"HASH":1},
			"account_data":{"events":[{"type":"m.cross_signing.master","content":{"encrypted":{"HASH":{"mac":"HASH"}}}}]},
			"to_device":{"events":[{"type":"m.room.encrypted","sender":"@u:hs1","content":{"sender_key":"HASH"}}]},
			"rooms":{"join":{"!r:hs1":{"timeline":{"prev_batch":"HASH","events":[
				{"type":"m.room.encrypted","event_id":"$e","sender":"@u:hs1","content":{"sender_key":"HASH","session_id":"HASH"},"unsigned":{"transaction_id":"HASH"}},
				{"type":"m.room.third_party_invite","event_id":"$f","sender":"@u:hs1","state_key":"HASH","content":{"public_key":"HASH"}},
				{"type":"m.room.power_levels","event_id":"$g","sender":"@u:hs1","state_key":"","content":{"users":{"HASH":1}}}]}}}}}`,
		"/v3/login":      `{"user_id":"@u:hs1","access_token":"HASH","sender":"HASH"}`,
		"/v3/keys/query": `{"device_keys":{"@u:hs1":{"D":{"keys":{"ed25519:D":"HASH"}}}}}`,
		"/v3/user/@u:hs1/rooms/!r:hs1/account_data/x": `{"key":"HASH"}`,
		"/v3/rooms/!r:hs1/state/com.example.poll/":    `{"hash":"HASH","creator":"HASH","users":{"HASH":1}}`,
		"/v3/rooms/!r:hs1/messages":                   `{"start":"HASH","end":"HASH","chunk":[]}`,
		"/v3/publicRooms":                             `{"next_batch":"HASH","chunk":[{"name":"HASH","topic":"HASH"}]}`,
	} {
		w := newWatch(pseudoid.FormatDendrite)
		w.get(path, strings.ReplaceAll(body, "HASH", hash))
		assert.Empty(t, w.found, path)
	}
}

func TestDataOfClientsIsIgnored(t *testing.T) {
	key := newKey()
	levels := `{"type":"m.room.power_levels","event_id":"$e","sender":"@u:hs1","sender_key":"` + key + `","state_key":"","content":{"users":{"` + key + `":100}}}`
	w := newWatch(pseudoid.FormatDendrite)
	w.write("PUT", "/v3/rooms/!r:hs1/state/m.room.power_levels/", `{"users":{"`+key+`":100}}`, `{"event_id":"$e"}`)
	w.get("/v3/sync", inSync(levels))
	assert.Empty(t, w.found)

	w = newWatch(pseudoid.FormatDendrite)
	w.write("PUT", "/v3/rooms/!r:hs1/send/m.room.message/1", `{"body":"`+newKey()+`"}`, `{"event_id":"$e"}`)
	w.get("/v3/sync", inSync(levels))
	assert.Equal(t, []string{"client-view/power-levels-read"}, w.broken(), "what clients wrote of other keys excuses nothing")
}

func TestTheFederationFormatIsIgnored(t *testing.T) {
	faulty := inSync(`{"type":"m.room.message","event_id":"$e","sender":"` + newKey() + `","content":{}}`)
	w := newWatch(pseudoid.FormatDendrite)
	w.get("/v3/sync?filter=%7B%22event_format%22%3A%22federation%22%7D", faulty)
	w.write("POST", "/v3/user/@alice:hs1/filter", `{"event_format":"federation"}`, `{"filter_id":"7"}`)
	w.get("/v3/sync?filter=7", faulty)
	assert.Empty(t, w.found)
	w.get("/v3/sync?filter=8", faulty)
	assert.Equal(t, []string{"client-view/sender-is-user-id"}, w.broken(), "another filter")
	w = newWatch(pseudoid.FormatDendrite)
	w.get("/v3/sync?filter=%7B%22event_format%22%3A%22client%22%7D", faulty)
	assert.Equal(t, []string{"client-view/sender-is-user-id"}, w.broken())
}

func TestOnlyAnswersToClientsAreExamined(t *testing.T) {
	faulty := []byte(inSync(`{"type":"m.room.message","event_id":"$e","sender":"` + newKey() + `","content":{}}`))
	for name, exchange := range map[string]transcript.Exchange{
		"a peer's":   {Direction: transcript.PeerRequest, Status: 200, ResponseBody: faulty},
		"a refusal":  {Direction: transcript.ClientRequest, Status: 403, ResponseBody: faulty},
		"broken off": {Direction: transcript.ClientRequest, Status: 200, ResponseBody: faulty[:len(faulty)-5]},
	} {
		w := newWatch(pseudoid.FormatDendrite)
		exchange.Method, exchange.URL = "GET", "http://h/_matrix/client/v3/sync"
		w.Exchange("check", exchange)
		assert.Empty(t, w.found, name)
	}
}
