package outgoing

// This file has the calls by which a server looks up rooms and servers.

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
