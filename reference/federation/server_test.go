package federation

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/pdu"
	"msc4014/reference/rooms"
)

const v1 = "/_matrix/federation/v1/"

func TestRequestsMustBeSigned(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	paths := map[string]string{
		v1 + "make_join/!r:x/@u:x": "GET", v1 + "make_leave/!r:x/@u:x": "GET", v1 + "make_knock/!r:x/@u:x": "GET",
		v1 + "send_join/!r:x/$e": "PUT", v1 + "send_leave/!r:x/$e": "PUT", v1 + "send_knock/!r:x/$e": "PUT",
		"/_matrix/federation/v2/send_join/!r:x/$e": "PUT", "/_matrix/federation/v2/send_leave/!r:x/$e": "PUT",
		"/_matrix/federation/v2/invite/!r:x/$e": "PUT", "/_matrix/federation/v3/invite/!r:x/@u:x": "PUT",
		v1 + "send/1": "PUT", v1 + "event/$e": "GET", v1 + "state/!r:x": "GET", v1 + "state_ids/!r:x": "GET",
		v1 + "event_auth/!r:x/$e": "GET", v1 + "backfill/!r:x": "GET", v1 + "get_missing_events/!r:x": "POST",
		v1 + "timestamp_to_event/!r:x": "GET", v1 + "query/profile": "GET", v1 + "query/directory": "GET",
		v1 + "publicRooms": "GET", v1 + "hierarchy/!r:x": "GET",
		v1 + "user/devices/@u:x": "GET", v1 + "user/keys/query": "POST", v1 + "user/keys/claim": "POST",
	}
	other, err := s.b.ring.SignRequest("GET", s.a.name, v1+"version", nil)
	require.NoError(t, err)
	for path, method := range paths {
		for _, authorization := range []string{"", other} {
			status, answer := s.a.plain(method, path, "{}", authorization)
			assert.Equal(t, http.StatusUnauthorized, status, path)
			assert.Equal(t, "M_UNAUTHORIZED", answer.Get("errcode").String(), path)
		}
	}
}

func TestWhatNobodyAnswers(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	for path, want := range map[string]int{
		"/": http.StatusNotFound, v1 + "nothing": http.StatusNotFound, "/_matrix/client/versions": http.StatusNotFound,
		v1 + "send_join/a": http.StatusNotFound, v1 + "make_join/!r:x/@u:x": http.StatusMethodNotAllowed,
	} {
		status, answer := s.b.ask(s.a, http.MethodDelete, path, nil)
		assert.Equal(t, want, status, path)
		assert.Equal(t, "M_UNRECOGNIZED", answer.Get("errcode").String(), path)
	}
	status, answer := s.a.plain("PUT", v1+"send/1", `{"a":1,"a":1}`, "")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "M_NOT_JSON", answer.Get("errcode").String())
	brackets := strings.Repeat("[", 6<<20)
	status, answer = s.a.plain("PUT", v1+"send/1", brackets, "")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "M_NOT_JSON", answer.Get("errcode").String())
	status, answer = s.a.plain("POST", "/_matrix/key/v2/query", brackets, "")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "M_BAD_JSON", answer.Get("errcode").String())
	status, answer = s.a.plain("PUT", v1+"send/1", `"`+strings.Repeat("x", maximumBody)+`"`, "")
	assert.Equal(t, http.StatusRequestEntityTooLarge, status)
	assert.Equal(t, "M_TOO_LARGE", answer.Get("errcode").String())
}

func TestBadParametersAreRefused(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	for path, method := range map[string]string{
		v1 + "backfill/" + s.roomID + "?limit=x": "GET", v1 + "timestamp_to_event/" + s.roomID + "?ts=x&dir=f": "GET",
		v1 + "timestamp_to_event/" + s.roomID + "?ts=1&dir=x": "GET", v1 + "user/keys/query": "POST",
		"/_matrix/federation/v2/invite/!r:x/$e": "PUT", "/_matrix/federation/v3/invite/!r:x/@u:x": "PUT",
	} {
		var body any
		if method != "GET" {
			body = []any{}
		}
		status, answer := s.b.ask(s.a, method, path, body)
		assert.Equal(t, http.StatusBadRequest, status, path)
		assert.NotEmpty(t, answer.Get("errcode").String(), path)
	}
}

func TestKeysArePublished(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	signer := s.a.ring.Signer()
	for _, path := range []string{"/_matrix/key/v2/server", "/_matrix/key/v2/server/" + signer.KeyID} {
		status, document := s.a.plain("GET", path, "", "")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, s.a.name, document.Get("server_name").String())
		assert.True(t, document.Get("verify_keys").Map()[signer.KeyID].Exists())
	}
	check := func(status int, answer gjson.Result) {
		t.Helper()
		assert.Equal(t, http.StatusOK, status)
		documents := answer.Get("server_keys").Array()
		require.Len(t, documents, 1)
		assert.Equal(t, s.b.name, documents[0].Get("server_name").String())
		signatures := documents[0].Get("signatures").Map()
		assert.True(t, signatures[s.a.name].Exists() && signatures[s.b.name].Exists())
	}
	check(s.a.plain("GET", "/_matrix/key/v2/query/"+s.b.name, "", ""))
	for _, keys := range []string{`{}`, `{"` + s.b.ring.Signer().KeyID + `":{"minimum_valid_until_ts":5}}`} {
		check(s.a.plain("POST", "/_matrix/key/v2/query", `{"server_keys":{"`+s.b.name+`":`+keys+`}}`, ""))
	}
	status, answer := s.a.plain("POST", "/_matrix/key/v2/query", `[]`, "")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, "M_BAD_JSON", answer.Get("errcode").String())
	status, answer = s.a.plain("GET", "/_matrix/key/v2/query/nobody.invalid", "", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "[]", answer.Get("server_keys").Raw)
}

func TestQueries(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	ctx := t.Context()
	version, err := s.b.client.Version(ctx, s.a.name)
	require.NoError(t, err)
	assert.NotEmpty(t, version.Name)

	require.NoError(t, s.a.users.SetProfileField(s.alice, "displayname", json.RawMessage(`"Alice"`)))
	require.NoError(t, s.a.users.SetProfileField(s.alice, "avatar_url", json.RawMessage(`"mxc://x/y"`)))
	profile, err := s.b.users.Profile(ctx, s.alice)
	require.NoError(t, err)
	assert.Equal(t, map[string]json.RawMessage{
		"displayname": json.RawMessage(`"Alice"`), "avatar_url": json.RawMessage(`"mxc://x/y"`),
	}, profile)
	status, answer := s.b.ask(s.a, "GET", v1+"query/profile?field=displayname&user_id="+s.alice, nil)
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"displayname":"Alice"}`, answer.Raw)
	for _, path := range []string{
		"query/profile?user_id=@nobody:" + s.a.name, "query/profile", "query/directory?room_alias=%23no:" + s.a.name,
		"user/devices/@nobody:" + s.a.name,
	} {
		status, answer := s.b.ask(s.a, "GET", v1+path, nil)
		assert.Equal(t, http.StatusNotFound, status, path)
		assert.Equal(t, "M_NOT_FOUND", answer.Get("errcode").String(), path)
	}

	alias := "#lobby:" + s.a.name
	require.NoError(t, s.a.rooms.CreateAlias(alias, s.roomID, s.alice))
	roomID, servers, err := s.b.rooms.ResolveAlias(ctx, alias)
	require.NoError(t, err)
	assert.Equal(t, s.roomID, roomID)
	assert.Equal(t, []string{s.a.name}, servers)

	token := s.a.users.NewOpenIDToken(s.alice)
	status, answer = s.a.plain("GET", v1+"openid/userinfo?access_token="+token, "", "")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, s.alice, answer.Get("sub").String())
	status, answer = s.a.plain("GET", v1+"openid/userinfo?access_token=x", "", "")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Equal(t, "M_UNKNOWN_TOKEN", answer.Get("errcode").String())
}

func TestPublicRooms(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	named := func(name string) string {
		roomID, err := s.a.rooms.Create(t.Context(), s.alice, rooms.CreateOptions{Preset: "public_chat", Name: name})
		require.NoError(t, err)
		require.NoError(t, s.a.rooms.SetListed(roomID, true))
		return roomID
	}
	first := named("A Lobby")
	named("the Library")
	s.b.join(s.bob, first, s.a)
	ask := func(body string) gjson.Result {
		t.Helper()
		answer, err := s.b.client.PublicRooms(t.Context(), s.a.name, []byte(body))
		require.NoError(t, err)
		return gjson.ParseBytes(answer)
	}
	all := ask(`{}`)
	assert.EqualValues(t, 2, all.Get("total_room_count_estimate").Int())
	assert.Equal(t, first, all.Get("chunk.0.room_id").String(), "the one with more members")
	assert.EqualValues(t, 2, all.Get("chunk.0.num_joined_members").Int())
	assert.Equal(t, `["the Library"]`, ask(`{"filter":{"generic_search_term":"lib"}}`).Get("chunk.#.name").Raw)
	assert.Len(t, ask(`{"filter":{"room_types":["m.space"]}}`).Get("chunk").Array(), 0)
	assert.Len(t, ask(`{"filter":{"room_types":[null]}}`).Get("chunk").Array(), 2)

	page := ask(`{"limit":1}`)
	assert.Len(t, page.Get("chunk").Array(), 1)
	status, rest := s.b.ask(s.a, "GET", v1+"publicRooms?limit=1&since="+page.Get("next_batch").String(), nil)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, `["the Library"]`, rest.Get("chunk.#.name").Raw)
	assert.False(t, rest.Get("next_batch").Exists())
	assert.Equal(t, first, ask(`{"limit":1,"since":"`+rest.Get("prev_batch").String()+`"}`).Get("chunk.0.room_id").String())
	for _, path := range []string{"publicRooms?limit=x", "publicRooms?since=x"} {
		status, _ := s.b.ask(s.a, "GET", v1+path, nil)
		assert.Equal(t, http.StatusBadRequest, status, path)
	}
}

func TestHierarchy(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	space, err := s.a.rooms.Create(t.Context(), s.alice, rooms.CreateOptions{
		Preset: "public_chat", CreationContent: map[string]json.RawMessage{"type": json.RawMessage(`"m.space"`)},
	})
	require.NoError(t, err)
	hidden := s.a.room(s.alice, "10", "private_chat")
	for _, child := range []string{s.roomID, hidden} {
		_, err := s.a.rooms.Send(t.Context(), space, s.alice, rooms.Write{
			Type: "m.space.child", StateKey: &child, Content: json.RawMessage(`{"via":["` + s.a.name + `"]}`),
		})
		require.NoError(t, err)
	}
	answer, err := s.b.client.Hierarchy(t.Context(), s.a.name, space, false)
	require.NoError(t, err)
	assert.Equal(t, space, gjson.GetBytes(answer.Room, "room_id").String())
	assert.Len(t, gjson.GetBytes(answer.Room, "children_state").Array(), 2)
	require.Len(t, answer.Children, 1)
	assert.Equal(t, s.roomID, gjson.GetBytes(answer.Children[0], "room_id").String())
	assert.Equal(t, []string{hidden}, answer.InaccessibleChildren)
	_, err = s.b.client.Hierarchy(t.Context(), s.a.name, hidden, false)
	assert.ErrorContains(t, err, "M_NOT_FOUND")
}

func TestPartialInviteIsNamedByRoomOrEvent(t *testing.T) {
	s := newScene(t, "msc4014", pdu.RoomVersion)
	partial := json.RawMessage(`{"type":"m.room.member","room_id":"!r:x","content":{"membership":"invite"}}`)
	eventID, err := pdu.ID(partial, s.a.rooms.Pseudonym.Format())
	require.NoError(t, err)
	for named, want := range map[string]int{
		"!r:x": http.StatusForbidden, eventID: http.StatusForbidden, "!other:x": http.StatusBadRequest, "$other": http.StatusBadRequest,
	} {
		// The inviter's join is not with it, so that it is forbidden in the end.
		status, answer := s.b.ask(s.a, "PUT", "/_matrix/federation/v3/invite/"+named+"/"+s.alice,
			object{"room_version": pdu.RoomVersion, "event": partial})
		assert.Equal(t, want, status, "%s: %s", named, answer)
	}
}

func TestErrorsThatAreMeantForNobody(t *testing.T) {
	assert.Equal(t, http.StatusInternalServerError, inMatrixForm(io.ErrUnexpectedEOF).Status)
	assert.Equal(t, "M_FORBIDDEN", inMatrixForm(rooms.Forbidden("no")).Code)
}
