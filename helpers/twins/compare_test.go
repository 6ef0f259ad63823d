package twins

import (
	"cmp"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/csapi"
)

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	return value
}

const (
	idOne = "$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	idTwo = "$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestNormal(t *testing.T) {
	for _, each := range []struct{ what, path, given, normal string }{
		{
			"IDs, times, tokens", "", `{"room_id":"!r","next_batch":"s1","chunk":[{"type":"m.x","sender":"@a:h","event_id":"` + idOne + `",
				"origin_server_ts":5,"unsigned":{"age":7},"content":{"to":"` + idTwo + `","alias":"#first-tt:h"}}]}`,
			`{"room_id":"!room","next_batch":"token","chunk":[{"type":"m.x","sender":"@a:h","event_id":"$m.x|@a:h#1",
				"origin_server_ts":"time","unsigned":{},"content":{"to":"$?","alias":"#first-tag:h"}}]}`,
		},
		{
			"what only pseudo-ID rooms have", "", `{"sender_key":"k","content":{"membership":"join","mxid_mapping":{"a":1}}}`,
			`{"content":{"membership":"join"}}`,
		},
		{
			"state in any order", "state", `[{"type":"m.b","state_key":"y"},{"type":"m.a","state_key":""}]`,
			`{"m.a|":{"type":"m.a","state_key":""},"m.b|y":{"type":"m.b","state_key":"y"}}`,
		},
		{"other lists in any order", "summary.m.heroes", `["b","a"]`, `["a","b"]`},
		{"lists in order", "chunk", `["b","a"]`, `["b","a"]`},
		{"no client event", "", `{"redacted_because":{"PDU":{"depth":3}}}`, `{"redacted_because":"no event"}`},
	} {
		assert.Equal(t, decoded(t, each.normal), newNamer("!r", "tt").normal(decoded(t, each.given), each.path), each.what)
	}
}

func TestCompare(t *testing.T) {
	for _, each := range []struct {
		what, a, b string
		paths      []string
	}{
		{"same", `{"a":[1,{"b":null}]}`, `{"a":[1,{"b":null}]}`, nil},
		{"value", `{"a":{"@u:h":1}}`, `{"a":{"@u:h":2}}`, []string{"a.@id"}},
		{"missing", `{"a":1}`, `{"b":1}`, []string{"a", "b"}},
		{"kind", `{"a":1}`, `{"a":[]}`, []string{"a"}},
		{"event", `[{"type":"m.x","event_id":"1","c":1}]`, `[{"type":"m.x","event_id":"1","c":2}]`, []string{"[m.x].c"}},
		{"lost event", `[{"type":"m.x","event_id":"1"},{"type":"m.y","event_id":"2"}]`, `[{"type":"m.y","event_id":"2"}]`, []string{"[m.x]"}},
		{"order", `[{"type":"m.x","event_id":"1"},{"type":"m.x","event_id":"2"}]`, `[{"type":"m.x","event_id":"2"},{"type":"m.x","event_id":"1"}]`, []string{" (order)"}},
		{"state", `{"m.x|@u:h":{"c":1}}`, `{"m.x|@u:h":{"c":2}}`, []string{"[m.x].c"}},
	} {
		var paths []string
		for _, found := range compare(decoded(t, each.a), decoded(t, each.b)) {
			paths = append(paths, found.path)
		}
		assert.Equal(t, each.paths, paths, each.what)
	}
}

// TestLostEventParts: after an event that did not cross between servers in one kind of room, the rooms are not compared any more.
func TestLostEventParts(t *testing.T) {
	event := func(id, kind, body string) any {
		return fields{"event_id": id, "type": kind, "content": fields{"list": []any{body}}}
	}
	for name, one := range map[string]struct {
		cast   Cast
		by     int
		step   string
		pseudo []any
		parts  bool
	}{
		"an event is lost":                          {TwoServers, 1, "message", nil, true},
		"another arrived as well":                   {TwoServers, 1, "message", []any{event("$1", "m.room.message", "x"), event("$2", "m.room.message", "x")}, true},
		"an event of another sender, as IDs tell":   {TwoServers, 1, "message", []any{event("$2", "m.room.message", "x")}, false},
		"something differs in an event":             {TwoServers, 1, "message", []any{event("$1", "m.room.message", "y")}, false},
		"an event is lost when the room is created": {TwoServers, 1, createKind, nil, false},
		"an event is lost on the sender's server":   {TwoServers, 2, "message", nil, false},
		"an event is lost on one server":            {OneServer, 1, "message", nil, false},
		"an event of a peer is lost":                {WithPeer, 2, "message", nil, true},
		"an event is lost beside a peer":            {WithPeer, 1, "message", nil, false},
	} {
		session := Session{Cast: one.cast, Steps: []Step{{ID: 7, Kind: one.step, By: one.by}}}
		p := &player{world: &world{}, session: session, known: map[string]bool{}}
		sent := []any{event("$1", "m.room.message", "x")}
		p.compare(Difference{Step: one.step, StepID: 7, Endpoint: "/sync timeline"}, []any{sent, sent, one.pseudo})
		require.NotEmpty(t, p.Differences, name)
		assert.Equal(t, one.parts, p.over, name)
		assert.Equal(t, one.parts, p.parted() != nil, name)
	}
}

// TestPast: a session goes on without what made the rooms take different ways.
func TestPast(t *testing.T) {
	session := Session{Cast: TwoServers, Steps: []Step{
		{ID: 1, Kind: createKind, Of: nothing, Arg: "public_chat published direct"}, {ID: 2, Kind: "join", By: 1, Of: nothing},
		{ID: 3, Kind: "avatar", Of: nothing}, {ID: 4, Kind: "message", Of: nothing}, {ID: 5, Kind: "avatar", Of: nothing},
		{ID: 6, Kind: "join", By: 2, Of: nothing}, {ID: 7, Kind: "join", By: 1, Of: nothing},
	}}
	ids := func(s Session) (all []int) {
		for _, step := range s.Steps {
			all = append(all, step.ID)
		}
		return all
	}
	lost := func(step string, id int) Difference {
		return Difference{Step: step, StepID: id, Endpoint: "/sync timeline", Field: "[m.room.member]", Parts: true}
	}
	refused := func(step string, id int) Difference {
		return Difference{Step: step, StepID: id, Endpoint: "answer", Field: "status", Parts: true}
	}
	assert.Equal(t, []int{1, 2, 4, 6, 7}, ids(session.past(lost("avatar", 3))), "all of the kind")
	assert.Equal(t, []int{1, 3, 4, 5, 6, 7}, ids(session.past(lost("join", 2))), "joins have no event that is named")
	assert.Equal(t, []int{1, 2, 3, 5, 6, 7}, ids(session.past(refused("message", 4))))
	assert.Equal(t, []int{1, 3, 4, 5, 6}, ids(session.past(refused("join", 2))), "those of the user that is refused")
	plain := session.past(Difference{Step: createKind, StepID: 1, Endpoint: "answer", Field: "status", Parts: true})
	assert.Equal(t, "public_chat", plain.Steps[0].Arg)
	assert.Equal(t, "public_chat published direct", session.Steps[0].Arg)
	assert.Empty(t, plain.past(Difference{Step: createKind, StepID: 1, Parts: true}).Steps)
}

func TestOfAnEvent(t *testing.T) {
	for path, want := range map[string]bool{
		"[m.x].c": true, "[m.x].content.list[]": true, "[m.x]": false, " (order)": false, "": false, "m.heroes[]": false, "m.heroes[].x": false,
	} {
		assert.Equal(t, want, ofAnEvent(path), path)
	}
}

func TestCause(t *testing.T) {
	one := Difference{Step: "join", Endpoint: "/sync timeline", Field: "[m.room.member].unsigned.prev_sender"}
	other := Difference{Step: lookStep, Endpoint: "/messages backwards", Field: "chunk[m.room.topic].unsigned.prev_sender"}
	assert.Equal(t, one.Cause(), other.Cause())
	assert.NotEqual(t, one.Name(), other.Name())
	assert.Equal(t, "join: /sync timeline: [m.room.member].unsigned.prev_sender", one.Name())
	assert.Equal(t, "[m.room.member]", Difference{Field: "join.timeline.events[m.room.member]"}.Cause())
	lacking := Difference{Step: lookStep, Endpoint: "/state/m.room.create", Field: "creator", Ordinary: `"@a:h"`, Pseudo: nothingThere}
	assert.Equal(t, "event-format/create-names-no-mxid", explained(lacking))
	lacking.Pseudo = `"key"`
	assert.Empty(t, explained(lacking), "a creator that is shown is a user ID")
}

// TestMembersThatWereSentBefore: lazily loaded, they may be left out when the same user asks again.
func TestMembersThatWereSentBefore(t *testing.T) {
	p := newPlayer(Company{Users: []*csapi.Client{{UserID: "alice"}, {UserID: "bob"}, {UserID: "carol"}}}, Session{Cast: OneServer})
	p.rooms = []*room{{}, {}, {}}
	missing := func(step, user int, kind, field string) string {
		one := Difference{Step: kind, Endpoint: "answer", Field: field, Ordinary: `{}`, Pseudo: nothingThere, StepID: step, User: user}
		return explained(p.inContext(one))
	}
	for _, each := range []struct{ kind, field string }{
		{"sync with lazy members", "join.state.events.[m.room.member]"}, {"messages with lazy members", "state.[m.room.member]"},
	} {
		p.lazily = map[int]int{}
		p.learn(Step{ID: 3, Kind: each.kind, By: 0, Whom: nobody}, answer{status: http.StatusOK})
		p.learn(Step{ID: 5, Kind: each.kind, By: 0, Whom: nobody}, answer{status: http.StatusOK})
		assert.Empty(t, missing(3, 0, each.kind, each.field), "asked for the first time")
		assert.NotEmpty(t, missing(5, 0, each.kind, each.field))
		assert.Empty(t, missing(5, 1, each.kind, each.field), "another user")
		assert.Empty(t, missing(5, 0, each.kind, each.field+".content.displayname"), "of a member that was sent")
		assert.Empty(t, missing(5, 0, each.kind, "join.timeline.events[m.room.member]"), "an event of the timeline")
		assert.Empty(t, missing(5, 0, "get members", each.field), "not lazily loaded")
	}
}

// TestPlaceholdersOutside: who takes an invite back cannot be known on a server that has nobody in the room, besides the inviter.
func TestPlaceholdersOutside(t *testing.T) {
	step := func(kind string, by, whom int) Step { return Step{Kind: kind, By: by, Whom: whom} }
	const alice, bob, carol = 0, 1, 2 // bob is on another server
	for name, one := range map[string]struct {
		steps     []Step
		step      string // of the difference, the last of steps if not said
		user      int
		ordinary  string
		explained bool
	}{
		"an invite is taken back":                {[]Step{step("join", carol, nobody), step("invite", carol, bob), step("kick", alice, bob)}, "", bob, "alice", true},
		"by the inviter":                         {[]Step{step("invite", alice, bob), step("kick", alice, bob)}, "", bob, "alice", false},
		"a member is kicked":                     {[]Step{step("join", bob, nobody), step("kick", alice, bob)}, "", bob, "alice", false},
		"a user of a server in the room":         {[]Step{step("invite", alice, carol), step("kick", alice, carol)}, "", carol, "bob", false},
		"a server that has left is invited":      {[]Step{step("join", bob, nobody), step("leave", bob, nobody), step("invite", carol, bob), step("ban", alice, bob)}, "", bob, "alice", true},
		"what a server that has left saw before": {[]Step{step("join", bob, nobody), step("leave", bob, nobody), step("invite", carol, bob)}, lookStep, bob, "alice", false},
		"what who joined since did to a user of a server that has left": {
			[]Step{step("join", bob, nobody), step("leave", bob, nobody), step("knock", bob, nobody), step("join", carol, nobody), step("ban", carol, bob)}, lookStep, bob, "carol", true,
		},
		"what who joined since did, once the server is back": {
			[]Step{step("join", bob, nobody), step("leave", bob, nobody), step("join", carol, nobody), step("join", bob, nobody)}, lookStep, bob, "carol", false,
		},
		"what was done to a user of a server that has left": {
			[]Step{step("join", bob, nobody), step("join", carol, nobody), step("leave", bob, nobody), step("ban", carol, bob)}, lookStep, bob, "carol", true,
		},
		"an invite of another server is shown": {[]Step{step("invite", carol, bob)}, lookStep, bob, "alice", true},
	} {
		users := []*csapi.Client{{UserID: "alice"}, {UserID: "bob"}, {UserID: "carol"}}
		p := newPlayer(Company{Users: users}, Session{Cast: TwoServers})
		last := ""
		for _, each := range one.steps {
			p.learn(each, answer{status: http.StatusOK})
			last = each.Kind
		}
		difference := p.inContext(Difference{
			Step: cmp.Or(one.step, last), Field: "[m.room.member].sender", User: one.user, Ordinary: asJSON(one.ordinary), Pseudo: `"@_unverified_key=0:h"`,
		})
		assert.Equal(t, one.explained, explained(difference) == "invite/inviter-join-included", name)
		difference.Pseudo = `"key"`
		assert.Empty(t, explained(difference), name)
	}
}

// TestLater: what a kind waits for is seen when it comes.
func TestLater(t *testing.T) {
	of := func(part string, event fields) fields {
		return fields{"rooms": fields{"join": fields{"!room": fields{part: fields{"events": []any{event}}}}}}
	}
	answers := map[string]fields{
		"timeline":     of("timeline", fields{"type": memberType, "event_id": "$joined", "state_key": "@alice:hs1", "content": fields{"displayname": "A"}}),
		"typing":       of("ephemeral", fields{"type": "m.typing", "content": fields{"user_ids": []any{"@alice:hs1"}}}),
		"receipts":     of("ephemeral", fields{"type": "m.receipt", "content": fields{"$said": fields{"m.read": fields{"@alice:hs1": fields{"ts": 1}}}}}),
		"account_data": of("account_data", fields{"type": "m.tag", "content": fields{"tags": fields{}}}),
	}
	waiting := 0
	for _, kind := range kinds {
		if kind.later == "" {
			continue
		}
		waiting++
		ordinary := &room{feeds: []*feed{newFeed()}, named: newNamer("!room", "tag")}
		p := &player{world: &world{Company: Company{Users: make([]*csapi.Client, 1)}, rooms: []*room{ordinary}}}
		before := p.later(kind)
		require.Contains(t, answers, kind.later, kind.name)
		ordinary.feeds[0].take(answers[kind.later], "!room")
		assert.NotEqual(t, before, p.later(kind), kind.name)
	}
	assert.Positive(t, waiting)
}
