package outgoing

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	room  = "!r/+:a.test"
	event = "$e+/"
)

type raws = []json.RawMessage

// TestCalls makes each call once and looks at what was asked and what was understood.
func TestCalls(t *testing.T) {
	a, b := newNode(t), newNode(t)
	ctx, c, user := t.Context(), a.client, "@u:"+b.name
	escapedUser := "@u:" + b.name
	invite := Invite{RoomVersion: "10", Event: json.RawMessage(`{"e":"<"}`), InviteRoomState: raws{json.RawMessage(`{}`)}}
	for _, test := range []struct {
		method, uri, body, answer string
		call                      func() (any, error)
		want                      any
	}{
		{"GET", "v1/make_join/%21r%2F+:a.test/" + escapedUser + "?ver=10&ver=11", "", `{"room_version":"10","event":{"a":1}}`,
			func() (any, error) { return c.MakeJoin(ctx, b.name, room, user, []string{"10", "11"}) },
			Template{"10", json.RawMessage(`{"a":1}`)}},
		{"GET", "v1/make_knock/%21r%2F+:a.test/" + escapedUser + "?ver=10", "", `{"room_version":"10","event":{}}`,
			func() (any, error) { return c.MakeKnock(ctx, b.name, room, user, []string{"10"}) },
			Template{"10", json.RawMessage(`{}`)}},
		{"GET", "v1/make_leave/%21r%2F+:a.test/" + escapedUser, "", `{"event":{}}`,
			func() (any, error) { return c.MakeLeave(ctx, b.name, room, user) },
			Template{"", json.RawMessage(`{}`)}},
		{"PUT", "v2/send_join/%21r%2F+:a.test/$e+%2F", `{"x":"<"}`,
			`{"state":[{}],"auth_chain":[],"event":{"b":1},"origin":"b","members_omitted":true,"servers_in_room":["s"]}`,
			func() (any, error) { return c.SendJoin(ctx, b.name, room, event, []byte(`{"x":"<"}`)) },
			SendJoinAnswer{raws{json.RawMessage(`{}`)}, raws{}, json.RawMessage(`{"b":1}`), "b", true, []string{"s"}}},
		{"PUT", "v2/send_leave/%21r%2F+:a.test/$e+%2F", `{}`, `{}`,
			func() (any, error) { return nil, c.SendLeave(ctx, b.name, room, event, []byte(`{}`)) }, nil},
		{"PUT", "v1/send_knock/%21r%2F+:a.test/$e+%2F", `{}`, `{"knock_room_state":[{"a":1}]}`,
			func() (any, error) { return c.SendKnock(ctx, b.name, room, event, []byte(`{}`)) },
			raws{json.RawMessage(`{"a":1}`)}},
		{"PUT", "v2/invite/%21r%2F+:a.test/$e+%2F", `{"room_version":"10","event":{"e":"<"},"invite_room_state":[{}]}`, `{"event":{"s":1}}`,
			func() (any, error) { return c.Invite(ctx, b.name, room, event, invite) },
			json.RawMessage(`{"s":1}`)},
		{"PUT", "v3/invite/x/y", `{"room_version":"10","event":{"e":"<"},"invite_room_state":[{}]}`, `{"event":{"s":1}}`,
			func() (any, error) {
				return c.InvitePartial(ctx, b.name, "/_matrix/federation/v3/invite/x/y", invite)
			},
			json.RawMessage(`{"s":1}`)},
		{"POST", "v1/get_missing_events/%21r%2F+:a.test", `{"earliest_events":[],"latest_events":["$e"],"limit":5,"min_depth":2}`,
			`{"events":[{}]}`,
			func() (any, error) { return c.MissingEvents(ctx, b.name, room, nil, []string{"$e"}, 5, 2) },
			raws{json.RawMessage(`{}`)}},
		{"GET", "v1/event/$e+%2F", "", `{"pdus":[{"a":1}]}`,
			func() (any, error) { return c.Event(ctx, b.name, event) }, json.RawMessage(`{"a":1}`)},
		{"GET", "v1/state/%21r%2F+:a.test?event_id=%24e%2B%2F", "", `{"pdus":[{}],"auth_chain":[]}`,
			func() (any, error) { return c.State(ctx, b.name, room, event) }, State{raws{json.RawMessage(`{}`)}, raws{}}},
		{"GET", "v1/state_ids/%21r%2F+:a.test?event_id=%24e%2B%2F", "", `{"pdu_ids":["$1"],"auth_chain_ids":["$2"]}`,
			func() (any, error) { return c.StateIDs(ctx, b.name, room, event) }, StateIDs{[]string{"$1"}, []string{"$2"}}},
		{"GET", "v1/event_auth/%21r%2F+:a.test/$e+%2F", "", `{"auth_chain":[{}]}`,
			func() (any, error) { return c.EventAuth(ctx, b.name, room, event) }, raws{json.RawMessage(`{}`)}},
		{"GET", "v1/backfill/%21r%2F+:a.test?limit=7&v=%241&v=%242", "", `{"pdus":[{}]}`,
			func() (any, error) { return c.Backfill(ctx, b.name, room, []string{"$1", "$2"}, 7) }, raws{json.RawMessage(`{}`)}},
		{"GET", "v1/query/directory?room_alias=%23a%3Ab", "", `{"room_id":"!r","servers":["s"]}`,
			func() (any, error) { return c.Directory(ctx, b.name, "#a:b") }, Alias{"!r", []string{"s"}}},
		{"GET", "v1/query/profile?user_id=" + strings.ReplaceAll("%40u%3A"+b.name, ":", "%3A"), "", `{"displayname":"U"}`,
			func() (any, error) { return c.ForUsers().Profile(ctx, user) }, json.RawMessage(`{"displayname":"U"}`)},
		{"GET", "v1/user/devices/" + escapedUser, "", `{"devices":[]}`,
			func() (any, error) { return c.ForUsers().UserDevices(ctx, user) }, json.RawMessage(`{"devices":[]}`)},
		{"POST", "v1/user/keys/query", `{"device_keys":{}}`, `{"device_keys":{}}`,
			func() (any, error) { return c.ForUsers().QueryKeys(ctx, b.name, []byte(`{"device_keys":{}}`)) },
			json.RawMessage(`{"device_keys":{}}`)},
		{"POST", "v1/user/keys/claim", `{"one_time_keys":{}}`, `{"one_time_keys":{}}`,
			func() (any, error) { return c.ForUsers().ClaimKeys(ctx, b.name, []byte(`{"one_time_keys":{}}`)) },
			json.RawMessage(`{"one_time_keys":{}}`)},
		{"POST", "v1/publicRooms", `{"limit":1}`, `{"chunk":[]}`,
			func() (any, error) { return c.PublicRooms(ctx, b.name, []byte(`{"limit":1}`)) }, json.RawMessage(`{"chunk":[]}`)},
		{"GET", "v1/hierarchy/%21r%2F+:a.test?suggested_only=true", "", `{"room":{},"children":[{}],"inaccessible_children":["!x"]}`,
			func() (any, error) { return c.Hierarchy(ctx, b.name, room, true) },
			Hierarchy{json.RawMessage(`{}`), raws{json.RawMessage(`{}`)}, []string{"!x"}}},
		{"GET", "v1/version", "", `{"server":{"name":"n","version":"1"}}`,
			func() (any, error) { return c.Version(ctx, b.name) }, Version{"n", "1"}},
	} {
		b.answers(func(received) (int, string) { return http.StatusOK, test.answer })
		got, err := test.call()
		require.NoError(t, err, test.uri)
		assert.Equal(t, test.want, got, test.uri)
		assert.Equal(t, received{test.method, "/_matrix/federation/" + test.uri, a.name, append([]byte{}, test.body...)}, b.next())
	}
}

func TestOlderVersionIsTriedWhereTheServerHasNoOther(t *testing.T) {
	a, b := newNode(t), newNode(t)
	b.answers(func(r received) (int, string) {
		if strings.Contains(r.uri, "/v2/") {
			return http.StatusNotFound, `{"errcode":"M_UNRECOGNIZED"}`
		}
		return http.StatusOK, `[200,{"event":{"a":1},"state":[],"auth_chain":[]}]`
	})
	joined, err := a.client.SendJoin(t.Context(), b.name, room, event, []byte(`{}`))
	require.NoError(t, err)
	assert.Equal(t, json.RawMessage(`{"a":1}`), joined.Event)
	assert.Contains(t, b.next().uri, "/v2/")
	assert.Contains(t, b.next().uri, "/v1/")
	invited, err := a.client.Invite(t.Context(), b.name, room, event, Invite{Event: json.RawMessage(`{"b":2}`)})
	require.NoError(t, err)
	assert.Equal(t, json.RawMessage(`{"a":1}`), invited)
	b.next()
	assert.Equal(t, `{"b":2}`, string(b.next().body), "version 1 sends the event alone")
}

func TestRefusals(t *testing.T) {
	a, b := newNode(t), newNode(t)
	b.answers(func(received) (int, string) {
		return http.StatusNotFound, `{"errcode":"M_NOT_FOUND","error":"no such room"}`
	})
	_, err := a.client.SendJoin(t.Context(), b.name, room, event, []byte(`{}`))
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, http.StatusNotFound, refusal.Status)
	assert.Equal(t, "M_NOT_FOUND", refusal.Code)
	assert.ErrorContains(t, err, "no such room")
	assert.Contains(t, b.next().uri, "/v2/")
	assert.Empty(t, b.arrived, "a room that is not there is no reason to try version 1")

	for _, answer := range []string{`hello`, `{"pdus":"x"}`, `{"pdus":[]}`, `[]`, strings.Repeat("[", 6<<20)} {
		b.answers(func(received) (int, string) { return http.StatusOK, answer })
		_, err := a.client.Event(t.Context(), b.name, event)
		assert.Error(t, err, "%.20s", answer)
	}
	b.answers(func(received) (int, string) { return http.StatusOK, `{}` })
	_, err = a.client.Invite(t.Context(), b.name, room, event, Invite{Event: json.RawMessage(`{}`)})
	assert.ErrorContains(t, err, "without an event")
}
