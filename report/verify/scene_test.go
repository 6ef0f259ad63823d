package verify

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/url"
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

// world is a candidate hs1 with the user @alice:hs1, and a peer p1, with what each signs with.
type world struct {
	t              *testing.T
	alice, mallory pseudoid.KeyPair
	hs1, p1        ed25519.PrivateKey
}

func newWorld(t *testing.T) world {
	t.Helper()
	_, hs1, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	_, p1, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return world{t, pseudoid.GenerateKeyPair(), pseudoid.GenerateKeyPair(), hs1, p1}
}

const room = "!a:hs1"

// made returns an event with its hash, signed by its sender; more are further fields, and change others.
func (w world) made(by pseudoid.KeyPair, kind string, depth int, content string, more map[string]any) []byte {
	w.t.Helper()
	fields := map[string]any{
		"type": kind, "room_id": room, "sender_key": by.Public, "content": json.RawMessage(content), "prev_events": []string{}, "auth_events": []string{},
		"depth": depth, "origin_server_ts": 1,
	}
	for name, value := range more {
		fields[name] = value
	}
	raw, err := json.Marshal(fields)
	require.NoError(w.t, err)
	signed, err := pseudoid.SignEvent(raw, format, string(by.Public), pseudoid.SenderKeyID, by.Private)
	require.NoError(w.t, err)
	return signed
}

// mapping returns a mapping; "" signs nothing.
func (w world) mapping(key pseudoid.SenderKey, userID, server string, by ed25519.PrivateKey) string {
	w.t.Helper()
	raw := pseudoid.NewMapping(pseudoid.DialectMSC4014, key, userID)
	if server != "" {
		signed, err := pseudoid.SignMapping(raw, server, "ed25519:1", by)
		require.NoError(w.t, err)
		raw = signed
	}
	return string(raw)
}

// join returns a join with a mapping, or without one.
func (w world) join(by pseudoid.KeyPair, depth int, mapping string) []byte {
	content := `{"membership":"join"}`
	if mapping != "" {
		content = `{"membership":"join","mxid_mapping":` + mapping + `}`
	}
	return w.made(by, "m.room.member", depth, content, map[string]any{"state_key": by.Public})
}

func (w world) create(depth int) []byte {
	return w.made(w.alice, "m.room.create", depth, `{"room_version":"org.matrix.msc4014"}`, map[string]any{"state_key": ""})
}

func id(t *testing.T, event []byte) string {
	t.Helper()
	made, err := pseudoid.EventID(event, format)
	require.NoError(t, err)
	return made
}

// published is an answer of a server with its key.
func (w world) published(direction transcript.Direction, server string, key ed25519.PrivateKey) transcript.Exchange {
	w.t.Helper()
	public, _ := key.Public().(ed25519.PublicKey)
	return transcript.Exchange{
		Direction: direction, Actor: "p1", Server: "hs1", Method: "GET", URL: "/_matrix/key/v2/server", Status: 200,
		ResponseBody: []byte(fmt.Sprintf(`{"server_name":%q,"verify_keys":{"ed25519:1":{"key":%q}},"valid_until_ts":9}`, server, pseudoid.EncodeBase64(public))),
	}
}

// asks is a request of alice.
func asks(method, path, body, answer string) transcript.Exchange {
	return transcript.Exchange{
		Direction: transcript.ClientRequest, Actor: "@alice:hs1", Server: "hs1", Method: method, URL: "http://hs1/_matrix/client/v3/" + path, Status: 200,
		RequestBody: []byte(body), ResponseBody: []byte(answer), Duration: time.Millisecond,
	}
}

// shows is a view that alice was given, with events in the client format.
func shows(events ...string) transcript.Exchange {
	return asks("GET", "rooms/!a:hs1/messages?dir=b", "", `{"chunk":[`+strings.Join(events, ",")+`]}`)
}

// seenAs is an event as a client sees it; change has further fields, each before its value.
func seenAs(t *testing.T, event []byte, sender string, change ...string) string {
	t.Helper()
	var err error
	shown := event
	for _, field := range []string{"hashes", "signatures", "prev_events", "auth_events", "depth"} {
		shown, err = sjson.DeleteBytes(shown, field)
		require.NoError(t, err)
	}
	text := string(shown)
	change = append([]string{"event_id", id(t, event), "sender", sender}, change...)
	for i := 0; i < len(change); i += 2 {
		text, err = sjson.Set(text, change[i], change[i+1])
		require.NoError(t, err)
	}
	return text
}

// judged judges exchanges of a check of requirements, all recorded as passes, and returns what is contradicted.
func judged(t *testing.T, requirements []string, exchanges ...transcript.Exchange) []string {
	t.Helper()
	path, results := folder(t, verdict.CheckResult{Verdict: verdict.Pass, Requirements: requirements}, exchanges...)
	for _, requirement := range judgedAgain {
		results.Requirements = append(results.Requirements, report.Requirement{ID: requirement, Verdict: verdict.Pass})
	}
	results.RequirementCounts = report.Counts{verdict.Pass: len(results.Requirements)}
	outcome, err := Evidence(path, results)
	require.NoError(t, err)
	return outcome.Contradictions
}

// judgedAgain are requirements besides those of folder.
var judgedAgain = []string{
	"event-format/sender-key-field", "event-format/no-sender-field", "event-format/member-state-key", "event-format/power-levels-by-key", noUserID,
	"event-format/create-names-no-mxid", "event-format/no-user-mapping", "event-format/event-id", "event-format/key-encoding", "sender-key/differs-between-users", "sender-key/not-the-server-key",
	"sender-key/kept-on-rejoin", "mapping/in-creator-join", "mapping/in-local-join", "mapping/in-remote-join", "mapping/in-profile-change", "mapping/in-invite",
	"mapping/names-key", "mapping/names-user", "mapping/signed-by-users-server", "mapping/foreign-signature-not-honoured", "mapping/bad-signature-rejected", "unverified/claimed-id-hidden", "signing/rejects-unsigned",
	"signing/tampered-content-redacted", "client-view/sender-is-user-id", "client-view/sender-key-present", "client-view/member-state-key-is-user-id",
	"client-view/power-levels-read", "client-view/create-creator", "client-view/no-verified-sender-field", "client-view/unsigned", "client-view/joined-members",
	"client-view/no-key-elsewhere",
}

// TestScenes: a transcript as it should be contradicts nothing, and each breach in it the requirement that it breaks, alone.
func TestScenes(t *testing.T) {
	w := newWorld(t)
	key, liar := string(w.alice.Public), string(w.mallory.Public)
	create := w.create(1)
	mapped := w.mapping(w.alice.Public, "@alice:hs1", "hs1", w.hs1)
	join := w.join(w.alice, 2, mapped)
	message := w.made(w.alice, "m.room.message", 3, `{"body":"hello"}`, nil)
	levels := w.made(w.alice, "m.room.power_levels", 4, `{"users":{"`+key+`":100}}`, map[string]any{"state_key": ""})
	made := asks("POST", "createRoom", "{}", `{"room_id":"!a:hs1"}`)
	keys := w.published(transcript.PeerRequest, "hs1", w.hs1)
	start := []transcript.Exchange{made, keys, sends(create, join, message, levels)}
	with := func(more ...transcript.Exchange) []transcript.Exchange {
		return append(append([]transcript.Exchange{}, start...), more...)
	}
	another := pseudoid.GenerateKeyPair()
	bob := w.mapping(another.Public, "@bob:hs1", "hs1", w.hs1)
	lie := w.join(w.mallory, 9, w.mapping(w.mallory.Public, "@victim:p2", "p1", w.p1))
	honestJoin := w.join(w.mallory, 9, w.mapping(w.mallory.Public, "@mallory:p1", "p1", w.p1))
	peers := w.published(transcript.ServerRequest, "p1", w.p1)
	withheld := transcript.Exchange{Direction: transcript.ServerRequest, Actor: "p1", Method: "GET", URL: "/_matrix/key/v2/server", Error: "closed"}
	between := brings()
	between.Actor, between.Server, between.ResponseBody = "p2", "p1", []byte(`{"state":[`+string(w.join(w.mallory, 9, w.mapping(w.mallory.Public, "@bob:p1", "", nil)))+`]}`)
	badly := w.join(w.mallory, 9, w.mapping(w.mallory.Public, "@mallory:p1", "p1", w.hs1))
	unsigned, err := sjson.DeleteBytes(w.made(w.mallory, "m.room.message", 5, `{"body":"x"}`, nil), "signatures")
	require.NoError(t, err)
	tampered, err := sjson.SetBytes(w.made(w.mallory, "m.room.message", 5, `{"body":"x"}`, nil), "content.body", "y")
	require.NoError(t, err)
	sendJoin := sends(w.join(another, 3, ""))
	sendJoin.URL = "/_matrix/federation/v2/send_join/!a:hs1/$x"
	invite := w.made(w.mallory, "m.room.member", 9, `{"membership":"invite"}`, map[string]any{"state_key": another.Public})
	completes := func(mapping string) transcript.Exchange {
		completed := invite
		if mapping != "" {
			completed = w.made(w.mallory, "m.room.member", 9, `{"membership":"invite","mxid_mapping":`+mapping+`}`, map[string]any{"state_key": another.Public})
		}
		return transcript.Exchange{
			Direction: transcript.PeerRequest, Actor: "p1", Server: "hs1", Method: "PUT", URL: "/_matrix/federation/v3/invite/!a:hs1/@bob:hs1", Status: 200,
			RequestBody: []byte(`{"event":{"state_key":"@bob:hs1"}}`), ResponseBody: []byte(`{"event":` + string(completed) + `}`),
		}
	}
	given := completes(w.mapping(another.Public, "@liar:p1", "", nil)) // as the peer had it
	given.RequestBody = []byte(`{"event":{"state_key":"` + string(another.Public) + `","content":{"mxid_mapping":` + w.mapping(another.Public, "@liar:p1", "", nil) + `}}}`)
	byServerKey := pseudoid.KeyPairOf(w.hs1)
	elsewhere := w.published(transcript.PeerRequest, "hs1", w.p1)
	asked := transcript.Exchange{
		Direction: transcript.PeerRequest, Actor: "p1", Server: "hs1", Method: "GET", URL: "/_matrix/federation/v1/event/$other", Status: 200,
		ResponseBody: []byte(`{"pdus":[` + string(message) + `]}`),
	}
	for name, each := range map[string]struct {
		check     []string // requirements of the check
		exchanges []transcript.Exchange
		broken    []string
	}{
		"right": {nil, with(
			peers, brings(honestJoin), shows(seenAs(t, message, "@alice:hs1"), seenAs(t, honestJoin, "@mallory:p1", "state_key", "@mallory:p1")), completes(bob),
		), nil},
		"a view of an unverified member by a placeholder": {[]string{"mapping/foreign-signature-not-honoured"}, with(brings(lie), shows(seenAs(t, lie, "@_unverified_victim_p2:hs1"))), nil},
		"an invite that a peer had given a mapping":       {nil, with(given), nil},
		"a member event for nobody that a client wrote": {nil, with(
			asks("PUT", "rooms/!a:hs1/state/m.room.member/", `{"membership":"invite"}`, `{"event_id":"$x"}`),
			sends(w.made(w.alice, "m.room.member", 5, `{"membership":"invite"}`, map[string]any{"state_key": ""})),
		), nil},
		"what one peer answers another": {nil, with(withheld, between), nil},
		"a view on the wire":            {nil, with(asks("GET", `sync?filter=`+`{"event_format":"federation"}`, "", `{"rooms":{"x":[`+seenAs(t, message, key)+`]}}`)), nil},

		"no sender_key":           {nil, with(sends(w.made(w.alice, "m.x", 5, "{}", map[string]any{"sender": key}))), []string{"event-format/no-sender-field"}},
		"a user ID as sender":     {nil, with(sends(w.made(w.alice, "m.x", 5, "{}", map[string]any{"sender": "@alice:hs1"}))), []string{"event-format/no-sender-field", noUserID}},
		"a user ID as state key":  {nil, with(sends(w.made(w.alice, "m.room.member", 5, `{"membership":"leave"}`, map[string]any{"state_key": "@bob:hs1"}))), []string{"event-format/member-state-key", noUserID}},
		"a user ID as creator":    {nil, []transcript.Exchange{sends(w.made(w.alice, "m.room.create", 1, `{"creator":"@alice:hs1"}`, map[string]any{"state_key": ""}))}, []string{"event-format/create-names-no-mxid", noUserID}},
		"a padded key":            {nil, with(sends(w.made(w.alice, "m.x", 5, "{}", map[string]any{"sender_key": key + "="}))), []string{"event-format/key-encoding"}},
		"a user mapping":          {nil, with(sends(w.made(w.alice, "m.x", 5, `{"user_mapping":{}}`, nil))), []string{"event-format/no-user-mapping"}},
		"power by user ID":        {nil, with(sends(w.made(w.alice, "m.room.power_levels", 5, `{"users":{"@alice:hs1":100}}`, map[string]any{"state_key": ""}))), []string{"event-format/power-levels-by-key", noUserID}},
		"another event ID":        {nil, with(asked), []string{"event-format/event-id"}},
		"two users under one key": {nil, with(sends(w.join(w.alice, 6, w.mapping(w.alice.Public, "@bob:hs1", "hs1", w.hs1)))), []string{"sender-key/differs-between-users", "mapping/names-user"}},
		"a new key":               {[]string{"sender-key/kept-on-rejoin"}, with(sends(w.join(another, 6, w.mapping(another.Public, "@alice:hs1", "hs1", w.hs1)))), []string{"sender-key/kept-on-rejoin"}},
		"the server's key":        {nil, with(sends(w.made(byServerKey, "m.x", 6, "{}", nil))), []string{"sender-key/not-the-server-key"}},

		"no mapping of the creator":         {nil, []transcript.Exchange{made, sends(create, w.join(w.alice, 2, ""))}, []string{"mapping/in-creator-join"}},
		"no mapping of another user":        {nil, with(sends(w.join(another, 3, ""))), []string{"mapping/in-local-join"}},
		"no mapping over federation":        {nil, with(sendJoin), []string{"mapping/in-remote-join"}},
		"no mapping later":                  {nil, with(sends(w.join(w.alice, 6, ""))), []string{"mapping/in-profile-change"}},
		"no mapping in a completed invite":  {nil, with(completes("")), []string{"mapping/in-invite"}},
		"a completed invite of another":     {nil, with(completes(w.mapping(another.Public, "@carol:hs1", "hs1", w.hs1))), []string{"mapping/names-user"}},
		"a mapping of another key":          {nil, with(sends(w.join(w.alice, 6, bob))), []string{"mapping/names-key"}},
		"a mapping of another server's":     {nil, with(sends(w.join(another, 6, w.mapping(another.Public, "@bob:p9", "p9", w.p1)))), []string{"mapping/names-user"}},
		"a mapping of somebody else":        {nil, []transcript.Exchange{made, keys, sends(create, w.join(w.alice, 2, w.mapping(w.alice.Public, "@bob:hs1", "hs1", w.hs1)))}, []string{"mapping/names-user"}},
		"a mapping without signature":       {nil, with(sends(w.join(another, 6, w.mapping(another.Public, "@bob:hs1", "", nil)))), []string{"mapping/signed-by-users-server"}},
		"a mapping signed by another key":   {nil, []transcript.Exchange{made, elsewhere, sends(create, join)}, []string{"mapping/signed-by-users-server"}},
		"keys that the transcript has not":  {nil, []transcript.Exchange{made, sends(create, join)}, nil},
		"a foreign signature honoured":      {[]string{"mapping/foreign-signature-not-honoured"}, with(peers, brings(lie), shows(seenAs(t, lie, "@victim:p2"))), []string{"mapping/foreign-signature-not-honoured"}},
		"its raw key":                       {[]string{"mapping/foreign-signature-not-honoured"}, with(peers, brings(lie), shows(seenAs(t, lie, liar))), []string{"mapping/foreign-signature-not-honoured"}},
		"a foreign signature, other checks": {nil, with(peers, brings(lie), shows(seenAs(t, lie, "@victim:p2"))), nil},
		"an unsigned event is shown":        {[]string{"signing/rejects-unsigned"}, with(brings(unsigned), shows(seenAs(t, unsigned, "@mallory:p1"))), []string{"signing/rejects-unsigned"}},
		"content with a wrong hash":         {[]string{"signing/tampered-content-redacted"}, with(brings(tampered), shows(seenAs(t, tampered, "@mallory:p1"))), []string{"signing/tampered-content-redacted"}},

		"a key as sender":                     {nil, with(shows(seenAs(t, message, key))), []string{"client-view/sender-is-user-id"}},
		"somebody else":                       {nil, with(shows(seenAs(t, message, "@bob:hs1")), sends(w.join(another, 6, bob))), []string{"client-view/sender-is-user-id"}},
		"a key as state key":                  {nil, with(shows(seenAs(t, join, "@alice:hs1"))), []string{"client-view/member-state-key-is-user-id"}},
		"another sender_key":                  {nil, with(shows(seenAs(t, message, "@alice:hs1", "sender_key", "x"))), []string{"client-view/sender-key-present"}},
		"verified_sender_mxid":                {nil, with(shows(seenAs(t, message, "@alice:hs1", "verified_sender_mxid", "@alice:hs1"))), []string{"client-view/no-verified-sender-field"}},
		"power by key":                        {nil, with(shows(seenAs(t, levels, "@alice:hs1"))), []string{"client-view/power-levels-read"}},
		"power by key, content":               {nil, with(asks("GET", "rooms/!a:hs1/state/m.room.power_levels/", "", `{"users":{"`+key+`":100}}`)), []string{"client-view/power-levels-read"}},
		"a key as creator":                    {nil, with(asks("GET", "rooms/!a:hs1/state/m.room.create", "", `{"creator":"`+key+`"}`)), []string{"client-view/create-creator"}},
		"a key as prev_sender":                {nil, with(shows(seenAs(t, message, "@alice:hs1", "unsigned.prev_sender", key))), []string{"client-view/unsigned"}},
		"a key of joined ones":                {nil, with(asks("GET", "rooms/!a:hs1/joined_members", "", `{"joined":{"`+key+`":{}}}`)), []string{"client-view/joined-members"}},
		"a peer's key of joined ones":         {[]string{"client-view/joined-members"}, with(brings(honestJoin), asks("GET", "rooms/!a:hs1/joined_members", "", `{"joined":{"`+liar+`":{}}}`)), []string{"client-view/joined-members"}},
		"a peer's key as sender":              {[]string{"client-view/sender-is-user-id"}, with(brings(honestJoin), shows(seenAs(t, honestJoin, liar, "state_key", "@mallory:p1"))), []string{"client-view/sender-is-user-id"}},
		"a peer's key as state key":           {[]string{"client-view/member-state-key-is-user-id"}, with(peers, brings(honestJoin), shows(seenAs(t, honestJoin, "@mallory:p1"))), []string{"client-view/member-state-key-is-user-id"}},
		"no mapping to name a user":           {[]string{"mapping/names-user"}, with(sends(w.join(another, 3, ""))), []string{"mapping/in-local-join", "mapping/names-user"}},
		"a key beside the sender":             {nil, with(shows(seenAs(t, message, "@alice:hs1", "user_room_key", key))), []string{"client-view/no-key-elsewhere"}},
		"an event ID of version 1":            {nil, with(shows(seenAs(t, message, "@alice:hs1", "event_id", "$1:hs1"))), []string{"event-format/event-id"}},
		"a bad signature is shown":            {[]string{"mapping/bad-signature-rejected"}, with(peers, brings(badly), shows(seenAs(t, badly, "@_unverified_mallory_p1:hs1"))), []string{"mapping/bad-signature-rejected"}},
		"a member whose server gives no keys": {[]string{"unverified/claimed-id-hidden"}, with(withheld, brings(honestJoin), shows(seenAs(t, honestJoin, "@mallory:p1", "state_key", "@mallory:p1"))), []string{"unverified/claimed-id-hidden"}},
		"a key elsewhere":                     {nil, with(asks("GET", "rooms/!a:hs1/aliases", "", `{"by":"`+key+`"}`)), []string{"client-view/no-key-elsewhere"}},
		"a client wrote it":                   {nil, with(asks("PUT", "rooms/!a:hs1/state/x/"+url.PathEscape(key), "{}", "{}"), asks("GET", "rooms/!a:hs1/aliases", "", `{"by":"`+key+`"}`)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			found := judged(t, each.check, each.exchanges...)
			require.Len(t, found, len(each.broken), "%q", found)
			for i, requirement := range each.broken {
				assert.Contains(t, strings.Join(found, "\n"), requirement+" is recorded as pass, but in the transcript of \"a check\"", "%d", i)
			}
		})
	}
}
