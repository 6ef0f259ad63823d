package clientapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestErrorsAreMatrixErrors(t *testing.T) {
	s := newServer(t)
	alice := s.register("alice")
	for _, c := range []struct {
		method, path, token string
		body                any
		status              int
		code                string
	}{
		{"GET", "/v3/nowhere", "", nil, 404, "M_UNRECOGNIZED"},
		{"GET", "/_matrix/unknown", "", nil, 404, "M_UNRECOGNIZED"},
		{"DELETE", "/v3/sync", alice.token, nil, 405, "M_UNRECOGNIZED"},
		{"GET", "/v3/sync", "", nil, 401, "M_MISSING_TOKEN"},
		{"GET", "/v3/sync", "wrong", nil, 401, "M_UNKNOWN_TOKEN"},
		{"POST", "/v3/createRoom", alice.token, "{", 400, "M_NOT_JSON"},
		{"POST", "/v3/createRoom", alice.token, "[]", 400, "M_BAD_JSON"},
		{"POST", "/v3/createRoom", alice.token, `{"name":1}`, 400, "M_BAD_JSON"},
		{"POST", "/v3/createRoom", alice.token, object{"room_version": "9999"}, 400, "M_UNSUPPORTED_ROOM_VERSION"},
		{"GET", "/v3/sync?since=x", alice.token, nil, 400, "M_INVALID_PARAM"},
		{"GET", "/v3/sync?filter=17", alice.token, nil, 400, "M_INVALID_PARAM"},
		{"GET", path("/v3/rooms/%s/state", "!none:"+s.name), alice.token, nil, 403, "M_FORBIDDEN"},
		{"GET", "/v3/profile/@nobody:" + s.name, "", nil, 404, "M_NOT_FOUND"},
		{"PUT", "/v3/profile/@nobody:" + s.name + "/displayname", alice.token, object{"displayname": "x"}, 403, "M_FORBIDDEN"},
		{"POST", "/v3/login", "", object{"type": "m.login.token"}, 400, "M_UNKNOWN"},
		{"POST", "/v3/login", "", object{"type": "m.login.password", "user": "alice", "password": "x"}, 403, "M_FORBIDDEN"},
		{"POST", "/v3/register", "", object{"username": "alice"}, 400, "M_USER_IN_USE"},
		{"POST", "/v3/register", "", object{"username": "A!"}, 400, "M_INVALID_USERNAME"},
		{"POST", "/v3/register", "", object{"username": "_unverified_x_y"}, 400, "M_EXCLUSIVE"},
		{"GET", "/v3/register/available?username=alice", "", nil, 400, "M_USER_IN_USE"},
	} {
		got := s.ask(c.method, c.path, c.token, c.body)
		assert.Equal(t, c.status, got.status, "%s %s: %s", c.method, c.path, got.Raw)
		assert.Equal(t, c.code, got.code(), "%s %s: %s", c.method, c.path, got.Raw)
	}
}

func TestBrowsersMayAsk(t *testing.T) {
	s := newServer(t)
	request, err := http.NewRequest(http.MethodOptions, s.http.URL+"/_matrix/client/v3/sync", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, 200, response.StatusCode)
	assert.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"))
}

func TestAccounts(t *testing.T) {
	s := newServer(t)
	asked := s.ask("POST", "/v3/register", "", object{"username": "bob", "password": "p"})
	assert.Equal(t, 401, asked.status)
	assert.Equal(t, "m.login.dummy", asked.Get("flows.0.stages.0").String())
	made := s.ask("POST", "/r0/register", "", object{"username": "bob", "password": "p", "inhibit_login": true,
		"auth": object{"type": "m.login.dummy", "session": asked.Get("session").String()}})
	assert.Equal(t, "@bob:"+s.name, made.Get("user_id").String())
	assert.False(t, made.Get("access_token").Exists())

	login := s.ask("POST", "/v3/login", "", object{
		"type": "m.login.password", "password": "p", "identifier": object{"type": "m.id.user", "user": "@bob:" + s.name},
	})
	require.Equal(t, 200, login.status, login.Raw)
	bob := &client{server: s, userID: "@bob:" + s.name, token: login.Get("access_token").String()}
	assert.Equal(t, login.Get("device_id").String(), bob.do("GET", "/v3/account/whoami", nil).Get("device_id").String())
	assert.Equal(t, bob.userID, s.ask("GET", "/v3/account/whoami?access_token="+bob.token, "", nil).Get("user_id").String())

	auth := object{"type": "m.login.password", "password": "p", "user": "bob"}
	assert.Equal(t, 401, bob.try("POST", "/v3/account/password", object{"new_password": "q"}).status)
	wrong := bob.try("POST", "/v3/account/password", object{
		"new_password": "q", "auth": object{"type": "m.login.password", "user": "bob", "password": "x"},
	})
	assert.Equal(t, 401, wrong.status)
	assert.Equal(t, "M_FORBIDDEN", wrong.code())
	bob.do("POST", "/v3/account/password", object{"new_password": "q", "auth": auth})
	auth["password"] = "q"

	phone := s.ask("POST", "/v3/login", "", object{"type": "m.login.password", "password": "q", "user": "bob", "device_id": "PHONE"})
	bob.do("PUT", "/v3/devices/PHONE", object{"display_name": "a phone"})
	assert.Equal(t, "a phone", bob.do("GET", "/v3/devices/PHONE", nil).Get("display_name").String())
	assert.Len(t, bob.do("GET", "/v3/devices", nil).Get("devices").Array(), 2)
	assert.Equal(t, 401, bob.try("DELETE", "/v3/devices/PHONE", nil).status)
	bob.do("DELETE", "/v3/devices/PHONE", object{"auth": auth})
	assert.Equal(t, "M_UNKNOWN_TOKEN", s.ask("GET", "/v3/account/whoami", phone.Get("access_token").String(), nil).code())

	roomID := bob.create(nil)
	alice := s.register("alice")
	bob.do("POST", path("/v3/rooms/%s/invite", roomID), object{"user_id": alice.userID})
	alice.join(roomID)
	bob.do("POST", "/v3/account/deactivate", object{"auth": auth})
	assert.Equal(t, "M_UNKNOWN_TOKEN", bob.try("GET", "/v3/account/whoami", nil).code())
	login = s.ask("POST", "/v3/login", "", object{"type": "m.login.password", "password": "q", "user": "bob"})
	assert.Equal(t, "M_USER_DEACTIVATED", login.code())
	assert.Equal(t, "leave", alice.do("GET", path("/v3/rooms/%s/state/m.room.member/%s", roomID, bob.userID), nil).Get("membership").String())
	alice.do("POST", "/v3/logout", nil)
	assert.Equal(t, "M_UNKNOWN_TOKEN", alice.try("POST", "/v3/logout/all", nil).code())
}

func TestWhatTheServerCanDo(t *testing.T) {
	s := newServer(t)
	alice := s.register("alice")
	assert.Contains(t, s.ask("GET", "/versions", "", nil).Get("versions").Raw, `"v1.11"`)
	capabilities := alice.do("GET", "/v3/capabilities", nil).Get(`capabilities.m\.room_versions`)
	assert.Equal(t, "10", capabilities.Get("default").String())
	assert.Equal(t, "unstable", capabilities.Get(`available.org\.matrix\.msc4014`).String())
	assert.Equal(t, s.http.URL, s.ask("GET", "/.well-known/matrix/client", "", nil).Get(`m\.homeserver.base_url`).String())
	assert.Equal(t, "{}", alice.do("GET", "/v3/voip/turnServer", nil).Raw[:2])
	openID := alice.do("POST", path("/v3/user/%s/openid/request_token", alice.userID), object{})
	assert.Equal(t, s.name, openID.Get("matrix_server_name").String())
	s.register("alfred")
	found := alice.do("POST", "/v3/user_directory/search", object{"search_term": "al", "limit": 1})
	assert.True(t, found.Get("limited").Bool())
	assert.Len(t, found.Get("results").Array(), 1)
}

func TestOwnData(t *testing.T) {
	alice := newServer(t).register("alice")
	user := path("/v3/user/%s", alice.userID)
	roomID := alice.create(nil)
	before := alice.now()
	alice.do("PUT", user+"/account_data/my.type", object{"a": 1})
	alice.do("PUT", path(user+"/rooms/%s/account_data/my.room", roomID), object{"b": 2})
	alice.do("PUT", path(user+"/rooms/%s/tags/%s", roomID, "u.a/b"), object{"order": 0.5})
	got := alice.sync(before)
	assert.Equal(t, int64(1), find(got.Get("account_data.events"), "my.type", "*").Get("content.a").Int())
	assert.Equal(t, 0.5, find(in(got, "join", roomID).Get("account_data.events"), "m.tag", "*").Get(`content.tags.u\.a/b.order`).Float())
	assert.Equal(t, int64(2), alice.do("GET", path(user+"/rooms/%s/account_data/my.room", roomID), nil).Get("b").Int())
	assert.Equal(t, "M_NOT_FOUND", alice.try("GET", user+"/account_data/none", nil).code())
	alice.do("DELETE", path(user+"/rooms/%s/tags/%s", roomID, "u.a/b"), nil)
	assert.Empty(t, alice.do("GET", path(user+"/rooms/%s/tags", roomID), nil).Get("tags").Map())
	assert.Equal(t, "M_FORBIDDEN", alice.try("GET", "/v3/user/@bob:x/account_data/my.type", nil).code())

	filterID := alice.do("POST", user+"/filter", object{"room": object{"timeline": object{"limit": 1}}}).Get("filter_id").String()
	assert.Equal(t, int64(1), alice.do("GET", user+"/filter/"+filterID, nil).Get("room.timeline.limit").Int())
	assert.Len(t, in(alice.sync("", "filter", filterID), "join", roomID).Get("timeline.events").Array(), 1)

	rule := "/v3/pushrules/global/room/" + roomID
	alice.do("PUT", rule, object{"actions": []string{}})
	alice.do("PUT", rule+"/enabled", object{"enabled": false})
	assert.False(t, alice.do("GET", rule+"/enabled", nil).Get("enabled").Bool())
	assert.Equal(t, roomID, alice.do("GET", "/v3/pushrules/", nil).Get("global.room.0.rule_id").String())
	alice.do("DELETE", rule, nil)
	assert.Equal(t, "M_NOT_FOUND", alice.try("GET", rule, nil).code())
	assert.Equal(t, "M_NOT_FOUND", alice.try("DELETE", "/v3/pushrules/global/override/.m.rule.master", nil).code())

	alice.do("POST", "/v3/pushers/set", object{"app_id": "a", "pushkey": "k", "kind": "http"})
	assert.Len(t, alice.do("GET", "/v3/pushers", nil).Get("pushers").Array(), 1)
	alice.do("POST", "/v3/pushers/set", object{"app_id": "a", "pushkey": "k", "kind": nil})
	assert.Empty(t, alice.do("GET", "/v3/pushers", nil).Get("pushers").Array())
}

func TestMedia(t *testing.T) {
	s := newServer(t)
	alice := s.register("alice")
	uri := alice.do("POST", "/_matrix/media/v3/upload?filename=a.txt", "hello").Get("content_uri").String()
	at := uri[len("mxc://"):]
	response, err := http.Get(s.http.URL + "/_matrix/media/v3/download/" + at)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, `attachment; filename=a.txt`, response.Header.Get("Content-Disposition"))
	assert.Equal(t, "M_MISSING_TOKEN", s.ask("GET", "/v1/media/download/"+at, "", nil).code())
	assert.Equal(t, "M_NOT_FOUND", alice.try("GET", "/v1/media/download/"+s.name+"/none", nil).code())
	assert.Positive(t, alice.do("GET", "/v1/media/config", nil).Get(`m\.upload\.size`).Int())
}
