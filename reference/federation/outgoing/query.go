package outgoing

// This file has the calls by which a server looks things up: aliases, profiles, devices, keys, rooms.

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// Alias is where an alias leads to.
type Alias struct {
	RoomID  string   `json:"room_id"`
	Servers []string `json:"servers"`
}

// Directory asks where an alias leads to: GET /query/directory.
func (c *Client) Directory(ctx context.Context, server, alias string) (Alias, error) {
	return get[Alias](ctx, c, server, v1("query")+"/directory"+query(url.Values{"room_alias": {alias}}))
}

// Profile asks for the profile of a user, or one field of it unless that is "": GET /query/profile.
func (c *Client) Profile(ctx context.Context, server, userID, field string) (map[string]json.RawMessage, error) {
	values := url.Values{"user_id": {userID}}
	if field != "" {
		values.Set("field", field)
	}
	return get[map[string]json.RawMessage](ctx, c, server, v1("query")+"/profile"+query(values))
}

// Devices are the devices of a user.
type Devices struct {
	UserID         string          `json:"user_id"`
	StreamID       int64           `json:"stream_id"`
	Devices        []Device        `json:"devices"`
	MasterKey      json.RawMessage `json:"master_key,omitempty"`
	SelfSigningKey json.RawMessage `json:"self_signing_key,omitempty"`
}

// Device is one device of a user, with its signed keys if it has any.
type Device struct {
	DeviceID    string          `json:"device_id"`
	DisplayName string          `json:"device_display_name,omitempty"`
	Keys        json.RawMessage `json:"keys,omitempty"`
}

// UserDevices asks for the devices of a user: GET /user/devices/{userID}.
func (c *Client) UserDevices(ctx context.Context, server, userID string) (Devices, error) {
	return get[Devices](ctx, c, server, v1("user/devices", userID))
}

// KeysAnswer is the answer to QueryKeys.
type KeysAnswer struct {
	DeviceKeys      map[string]map[string]json.RawMessage `json:"device_keys"` // by user ID and device ID
	MasterKeys      map[string]json.RawMessage            `json:"master_keys,omitempty"`
	SelfSigningKeys map[string]json.RawMessage            `json:"self_signing_keys,omitempty"`
}

// QueryKeys asks for the device keys of users: POST /user/keys/query. The lists are of device IDs; an empty one means all.
func (c *Client) QueryKeys(ctx context.Context, server string, users map[string][]string) (KeysAnswer, error) {
	asked := map[string][]string{}
	for userID, devices := range users {
		asked[userID] = orEmpty(devices)
	}
	return ask[KeysAnswer](ctx, c, server, http.MethodPost, v1("user/keys/query"), map[string]any{"device_keys": asked})
}

// ClaimKeys claims one-time keys: POST /user/keys/claim. It asks for an algorithm by user ID and device ID, and returns
// the keys by user ID, device ID and key ID.
func (c *Client) ClaimKeys(ctx context.Context, server string, wanted map[string]map[string]string) (map[string]map[string]map[string]json.RawMessage, error) {
	answer, err := ask[struct {
		OneTimeKeys map[string]map[string]map[string]json.RawMessage `json:"one_time_keys"`
	}](ctx, c, server, http.MethodPost, v1("user/keys/claim"), map[string]any{"one_time_keys": wanted})
	return answer.OneTimeKeys, err
}

// PublicRooms asks for a server's public rooms: POST /publicRooms, whose body is that of the client-server API's. The
// answer is that one's too.
func (c *Client) PublicRooms(ctx context.Context, server string, body []byte) (json.RawMessage, error) {
	return c.call(ctx, server, http.MethodPost, v1("publicRooms"), body)
}

// Hierarchy is a space and its children as a server sees them: summaries of rooms, with children_state.
type Hierarchy struct {
	Room                 json.RawMessage   `json:"room"`
	Children             []json.RawMessage `json:"children"`
	InaccessibleChildren []string          `json:"inaccessible_children"`
}

// Hierarchy asks for a space and its children: GET /hierarchy/{roomID}.
func (c *Client) Hierarchy(ctx context.Context, server, roomID string, suggestedOnly bool) (Hierarchy, error) {
	values := url.Values{"suggested_only": {strconv.FormatBool(suggestedOnly)}}
	return get[Hierarchy](ctx, c, server, v1("hierarchy", roomID)+query(values))
}

// Version is the software of a server.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Version asks for the software of a server: GET /version. It is a way to find out whether a server is there.
func (c *Client) Version(ctx context.Context, server string) (Version, error) {
	answer, err := get[struct {
		Server Version `json:"server"`
	}](ctx, c, server, v1("version"))
	return answer.Server, err
}

// UserInfo asks to whom an OpenID token belongs: GET /openid/userinfo.
func (c *Client) UserInfo(ctx context.Context, server, token string) (userID string, err error) {
	answer, err := get[struct {
		Sub string `json:"sub"`
	}](ctx, c, server, v1("openid/userinfo")+query(url.Values{"access_token": {token}}))
	return answer.Sub, err
}
