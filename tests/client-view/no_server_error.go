package clientview

// Requests that name users whom a server cannot find in the room.

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// request is one request of a client that names a user.
type request struct {
	name         string // as baselines list it
	method, path string
	query        url.Values
	body         any
}

// odd is a kind of user that has no key in the room, or no user at all.
type odd struct {
	name string
	user func(s *stage.Stage, room *stage.Room) string
}

// A request that names a user whom the server finds no key of gets what it gets in any room: an answer, or a refusal that says what is
// wrong (MSC4014, hard requirement 1). It is not an error of the server.
func init() {
	for _, each := range []odd{
		{"a local user who is not in the room", func(s *stage.Stage, _ *stage.Room) string { return s.User("dave").UserID }},
		{"a user of a peer who is not in the room", func(_ *stage.Stage, room *stage.Room) string { return room.Peer().User("erin").ID() }},
		{"a user of the server who does not exist", func(s *stage.Stage, _ *stage.Room) string { return "@nobody:" + s.ServerName(1) }},
		{"a user ID without a domain", func(*stage.Stage, *stage.Room) string { return "@nobody" }},
		{"no user ID at all", func(*stage.Stage, *stage.Room) string { return "nobody" }},
		{"an empty string", func(*stage.Stage, *stage.Room) string { return "" }},
		{"the sender key of a member", func(_ *stage.Stage, room *stage.Room) string { return memberKey(room) }},
		{"a sender key that nobody has", func(_ *stage.Stage, room *stage.Room) string {
			return string(room.Peer().User("keyless").KeyIn(room.ID()).Public)
		}},
	} {
		check.Register(check.Check{
			Name:     "requests that name " + each.name + " make no server error",
			Requires: []string{"client-view/no-server-error"},
			Path:     each.name,
			Body:     func(c *check.C) { makesNoServerError(c, each) },
		})
	}
}

// memberKey returns the sender key of a member of a peer.
func memberKey(room *stage.Room) string { return room.Peer().User("carol").SenderIn(room.Room) }

func makesNoServerError(c *check.C, each odd) {
	s := stage.Open(c, blueprints.OneServer)
	alice, peer := s.User("alice"), s.Peer()
	carol := peer.User("carol")
	room := peer.Joins(alice.Makes(stage.Public), carol)
	alice.Blaming("membership/remote-joins-us").AwaitsMembership(room.ID(), carol.ID(), "join")
	named := each.user(s, room)
	// What an ordinary room answers with a server error, too, is no matter of pseudo-ID rooms. In that a key is not a user ID either.
	ordinary, inOrdinary := alice.MakesOrdinary(stage.Public), named
	if _, err := pseudoid.ParseSenderKey(named); err == nil {
		inOrdinary = "nobody"
	}
	before := ask(c, alice, requestsOf(alice, ordinary, inOrdinary, pseudoid.FormatV10.RoomVersion, levelsWith(c, alice, ordinary, inOrdinary)))
	asked := requestsOf(alice, room.ID(), named, s.Format().RoomVersion, levelsWith(c, alice, room.ID(), named))
	alice.LooksBefore(room.ID())
	c.UnderTest()
	compare(c, asked, ask(c, alice, asked), before)
	goesOn(alice, room.ID())
}

// levelsWith are the power levels of a room with a level for what is named.
func levelsWith(c *check.C, alice *stage.User, roomID, named string) map[string]any {
	levels, err := alice.PowerLevels(c.Context(), roomID)
	c.Need("client-view/power-levels-read", err)
	return withLevel(levels, named, 10)
}

// goesOn ensures that a room can be used and looked at, whatever the requests came to.
func goesOn(alice *stage.User, roomID string) {
	alice.AwaitsEvent(roomID, alice.Says(roomID, "said after the requests"))
	alice.Views(roomID)
}

// ask makes requests and returns the server errors that they are answered with, nil for every other answer.
func ask(c *check.C, user *stage.User, requests []request) (serverErrors []error) {
	for _, each := range requests {
		_, err := user.Do(c.Context(), each.method, each.path, each.query, each.body)
		refusal, isRefused := csapi.Refused(err)
		if isRefused && refusal.Status < http.StatusInternalServerError {
			err = nil
		}
		serverErrors = append(serverErrors, err)
	}
	return serverErrors
}

// compare fails the check for each request that is answered with a server error, and was not in an ordinary room.
func compare(c *check.C, asked []request, now, before []error) {
	for i, err := range now {
		switch {
		case err == nil:
		case before[i] != nil:
			c.Timely(before[i])
			c.NotJudged(asked[i].name, "an ordinary room answers it so, too: %v", err)
		default:
			c.Errorf("%v", err)
		}
	}
}

// requestsOf are requests about a room that name a user, or what stands in its place.
func requestsOf(by *stage.User, roomID, named, version string, levels map[string]any) []request {
	in := func(segments ...string) string { return csapi.V3(append([]string{"rooms", roomID}, segments...)...) }
	about := map[string]any{"user_id": named}
	member := map[string]any{"membership": "invite"}
	filter := `{"senders":[` + quoted(named) + `],"not_senders":[` + quoted(named) + `]}`
	creates := func(name, preset string, more map[string]any) request {
		body := map[string]any{"room_version": version, "preset": preset}
		maps.Copy(body, more)
		return request{name, "POST", csapi.V3("createRoom"), nil, body}
	}
	devices := map[string]any{named: []string{}}
	return []request{
		// Of the room.
		{"a kick", "POST", in("kick"), nil, about},
		{"an unban", "POST", in("unban"), nil, about},
		{"a ban", "POST", in("ban"), nil, about},
		{"an unban after the ban", "POST", in("unban"), nil, about},
		{"an invite", "POST", in("invite"), nil, about},
		{"a kick of the invited", "POST", in("kick"), nil, about},
		{"the member event", "GET", in("state", "m.room.member", named), nil, nil},
		{"a member event that is set", "PUT", in("state", "m.room.member", named), nil, member},
		{"power levels", "PUT", in("state", "m.room.power_levels", ""), nil, levels},
		{"state under it", "PUT", in("state", noteType, named), nil, map[string]any{"by": "an admin"}},
		{"state under it, read", "GET", in("state", noteType, named), nil, nil},
		{"typing", "PUT", in("typing", named), nil, map[string]any{"typing": true, "timeout": 1000}},
		{"a mention", "PUT", in("send", "m.room.message", "mention-in-"+roomID), nil, map[string]any{
			"msgtype": "m.text", "body": "hello", "m.mentions": map[string]any{"user_ids": []string{named}},
		}},
		{"a filter of /messages", "GET", in("messages"), url.Values{"dir": {"b"}, "filter": {filter}}, nil},
		{"a search", "POST", csapi.V3("search"), nil, map[string]any{"search_categories": map[string]any{"room_events": map[string]any{
			"search_term": "hello", "filter": map[string]any{"rooms": []string{roomID}, "senders": []string{named}},
		}}}},
		{"a filter of /sync", "GET", csapi.V3("sync"), url.Values{"timeout": {"0"}, "filter": {`{"room":{"timeline":` + filter + `,"state":` + filter + `}}`}}, nil},
		creates("createRoom with an invite", "private_chat", map[string]any{"invite": []string{named}}),
		creates("createRoom with a direct invite", "trusted_private_chat", map[string]any{"invite": []string{named}, "is_direct": true}),
		creates("createRoom with power levels", "private_chat", map[string]any{"power_level_content_override": map[string]any{"users": map[string]int{by.UserID: 100, named: 10}}}),
		// Of the user.
		{"the profile", "GET", csapi.V3("profile", named), nil, nil},
		{"presence", "GET", csapi.V3("presence", named, "status"), nil, nil},
		{"a query of device keys", "POST", csapi.V3("keys", "query"), nil, map[string]any{"device_keys": devices}},
		{"a claim of one-time keys", "POST", csapi.V3("keys", "claim"), nil, map[string]any{"one_time_keys": map[string]any{named: map[string]any{"DEVICE": "signed_curve25519"}}}},
		{"a message to devices", "PUT", csapi.V3("sendToDevice", "org.example.word", "odd-in-"+roomID), nil, map[string]any{
			"messages": map[string]any{named: map[string]any{"*": map[string]any{}}},
		}},
		{"direct chats", "PUT", csapi.V3("user", by.UserID, "account_data", "m.direct"), nil, map[string]any{named: []string{roomID}}},
		{"ignored users", "PUT", csapi.V3("user", by.UserID, "account_data", "m.ignored_user_list"), nil, map[string]any{
			"ignored_users": map[string]any{named: map[string]any{}},
		}},
		{"a push rule", "PUT", csapi.V3("pushrules", "global", "sender", named), nil, map[string]any{"actions": []any{"notify"}}},
		{"the user directory", "POST", csapi.V3("user_directory", "search"), nil, map[string]any{"search_term": named}},
	}
}

// quoted returns a text as JSON.
func quoted(text string) string {
	encoded, _ := json.Marshal(text) // cannot fail
	return string(encoded)
}

// malformedUsers are values of users in power levels that are not allowed (Matrix specification, authorisation rules, m.room.power_levels:
// an object of integers).
var malformedUsers = map[string]any{
	"a string": "nobody", "a number": 7, "true": true, "an array": []string{"@nobody:example.org"},
	"a level that is an object": map[string]any{"level": map[string]any{}}, "a level that is a fraction": map[string]any{"level": 50.5},
	"a level that is an array": map[string]any{"level": []int{50}}, "a level that is a word": map[string]any{"level": "much"},
}

// Nor is it when users of power levels are malformed.
var _ = check.Register(check.Check{
	Name:     "malformed users of power levels make no server error",
	Requires: []string{"client-view/no-server-error"},
	Path:     "power levels",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice := s.User("alice")
		writes := func(roomID string) (requests []request) {
			for _, what := range slices.Sorted(maps.Keys(malformedUsers)) {
				content := malformedLevels(c, alice, roomID, what)
				requests = append(requests, request{"users that are " + what, "PUT", csapi.V3("rooms", roomID, "state", "m.room.power_levels", ""), nil, content})
			}
			return requests
		}
		roomID := alice.Makes(stage.Public)
		before := ask(c, alice, writes(alice.MakesOrdinary(stage.Public)))
		asked := writes(roomID)
		alice.LooksBefore(roomID)
		c.UnderTest()
		compare(c, asked, ask(c, alice, asked), before)
		goesOn(alice, roomID)
	},
})

// They are not written either, where those of an ordinary room are not.
var _ = check.Register(check.Check{
	Name:     "malformed users of power levels are not written",
	Requires: []string{"client-view/power-levels-write"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice := s.User("alice")
		// written tells whether other power levels than before are read.
		written := func(roomID, what string) bool {
			before := levelsRead(c, alice, roomID)
			_, err := alice.SendState(c.Context(), roomID, "m.room.power_levels", "", malformedLevels(c, alice, roomID, what))
			c.Notef("%s: %v", what, err)
			alice.AwaitsEvent(roomID, alice.Says(roomID, "said after "+what))
			return !maps.Equal(before, levelsRead(c, alice, roomID))
		}
		ordinary, roomID := alice.MakesOrdinary(stage.Public), alice.Makes(stage.Public)
		levels, err := alice.PowerLevels(c.Context(), roomID)
		c.Need("client-view/power-levels-read", err)
		content := csapi.Object(levels)
		content["users_default"] = 5
		_, err = alice.SendState(c.Context(), roomID, "m.room.power_levels", "", content)
		c.Control(err)
		c.UnderTest()
		for _, what := range slices.Sorted(maps.Keys(malformedUsers)) {
			if written(ordinary, what) {
				c.NotJudged("users that are "+what, "an ordinary room takes them; nor is what follows")
				return
			}
			if written(roomID, what) {
				c.Failf("power levels were written with users that are %s", what)
			}
		}
	},
})

// malformedLevels are power levels of a room with malformed users.
func malformedLevels(c *check.C, alice *stage.User, roomID, what string) map[string]any {
	levels, err := alice.PowerLevels(c.Context(), roomID)
	c.Need("client-view/power-levels-read", err)
	content, users := csapi.Object(levels), malformedUsers[what]
	if of, isObject := users.(map[string]any); isObject {
		users = map[string]any{alice.UserID: of["level"]}
	}
	content["users"] = users
	return content
}
