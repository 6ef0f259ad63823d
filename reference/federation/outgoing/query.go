package outgoing

// This file has the calls that look up rooms and servers.

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// Alias is the target of an alias.
type Alias struct {
	RoomID  string   `json:"room_id"`
	Servers []string `json:"servers"`
}

// Directory resolves an alias: GET /query/directory.
func (c *Client) Directory(ctx context.Context, server, alias string) (Alias, error) {
	return get[Alias](ctx, c, server, v1("query")+"/directory"+query(url.Values{"room_alias": {alias}}))
}

// PublicRooms requests a server's public rooms: POST /publicRooms. Request and response body are those of the
// client-server API.
func (c *Client) PublicRooms(ctx context.Context, server string, body []byte) (json.RawMessage, error) {
	return c.call(ctx, server, http.MethodPost, v1("publicRooms"), body)
}

// Hierarchy is a space and its children as a server sees them: summaries of rooms, with children_state.
type Hierarchy struct {
	Room                 json.RawMessage   `json:"room"`
	Children             []json.RawMessage `json:"children"`
	InaccessibleChildren []string          `json:"inaccessible_children"`
}

// Hierarchy requests a space and its children: GET /hierarchy/{roomID}.
func (c *Client) Hierarchy(ctx context.Context, server, roomID string, suggestedOnly bool) (Hierarchy, error) {
	values := url.Values{"suggested_only": {strconv.FormatBool(suggestedOnly)}}
	return get[Hierarchy](ctx, c, server, v1("hierarchy", roomID)+query(values))
}

// Version is the software of a server.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Version requests the software of a server: GET /version. It can be used to find out whether a server is up.
func (c *Client) Version(ctx context.Context, server string) (Version, error) {
	answer, err := get[struct {
		Server Version `json:"server"`
	}](ctx, c, server, v1("version"))
	return answer.Server, err
}
