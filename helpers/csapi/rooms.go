// Rooms: creating, joining and leaving them, and changing the membership of others.

package csapi

import (
	"context"
	"net/http"
	"net/url"
)

// CreateRoom creates a room and returns its ID; options are the body of POST /createRoom. CS API: Creation.
func (c *Client) CreateRoom(ctx context.Context, options map[string]any) (string, error) {
	if options == nil {
		options = map[string]any{}
	}
	return textAt(c.post(ctx, V3("createRoom"), options))("room_id")
}

// JoinRoom joins a room, through the servers via if given, and returns its ID.
// CS API: POST /join/{roomIdOrAlias}.
func (c *Client) JoinRoom(ctx context.Context, roomIDOrAlias string, via ...string) (string, error) {
	return textAt(c.Do(ctx, http.MethodPost, V3("join", roomIDOrAlias), viaQuery(via), nil))("room_id")
}

// Knock knocks on a room, through the servers via if given, and returns its ID. CS API: POST /knock/{roomIdOrAlias}.
func (c *Client) Knock(ctx context.Context, roomIDOrAlias, reason string, via ...string) (string, error) {
	return textAt(c.Do(ctx, http.MethodPost, V3("knock", roomIDOrAlias), viaQuery(via), withReason(nil, reason)))("room_id")
}

// viaQuery sets via, and server_name, which it replaced.
func viaQuery(via []string) url.Values {
	if len(via) == 0 {
		return nil
	}
	return url.Values{"via": via, "server_name": via}
}

// LeaveRoom leaves a room, or rejects an invite to it.
func (c *Client) LeaveRoom(ctx context.Context, roomID string) error {
	return only(c.post(ctx, V3("rooms", roomID, "leave"), nil))
}

// ForgetRoom forgets a room that the user has left.
func (c *Client) ForgetRoom(ctx context.Context, roomID string) error {
	return only(c.post(ctx, V3("rooms", roomID, "forget"), nil))
}

// Invite invites a user by user ID.
func (c *Client) Invite(ctx context.Context, roomID, userID string) error {
	return c.membership(ctx, "invite", roomID, userID, "")
}

// Kick removes a member, or withdraws an invite.
func (c *Client) Kick(ctx context.Context, roomID, userID, reason string) error {
	return c.membership(ctx, "kick", roomID, userID, reason)
}

// Ban bans a user.
func (c *Client) Ban(ctx context.Context, roomID, userID, reason string) error {
	return c.membership(ctx, "ban", roomID, userID, reason)
}

// Unban lifts the ban of a user.
func (c *Client) Unban(ctx context.Context, roomID, userID string) error {
	return c.membership(ctx, "unban", roomID, userID, "")
}

func (c *Client) membership(ctx context.Context, action, roomID, userID, reason string) error {
	return only(c.post(ctx, V3("rooms", roomID, action), withReason(map[string]any{"user_id": userID}, reason)))
}

func withReason(body map[string]any, reason string) map[string]any {
	if body == nil {
		body = map[string]any{}
	}
	if reason != "" {
		body["reason"] = reason
	}
	return body
}

// Upgrade upgrades a room to a version and returns the new room's ID. CS API: Room upgrades.
func (c *Client) Upgrade(ctx context.Context, roomID, version string) (string, error) {
	return textAt(c.post(ctx, V3("rooms", roomID, "upgrade"), map[string]any{"new_version": version}))("replacement_room")
}

// JoinedRooms returns the IDs of the rooms that the user has joined.
func (c *Client) JoinedRooms(ctx context.Context) ([]string, error) {
	response, err := c.get(ctx, V3("joined_rooms"), nil)
	if err != nil {
		return nil, err
	}
	rooms := []string{}
	for _, room := range response.Get("joined_rooms").Array() {
		rooms = append(rooms, room.String())
	}
	return rooms, nil
}

// CreateAlias creates an alias of a room.
func (c *Client) CreateAlias(ctx context.Context, alias, roomID string) error {
	return only(c.put(ctx, V3("directory", "room", alias), map[string]any{"room_id": roomID}))
}

// ResolveAlias returns the room of an alias and servers in that room: room_id, servers.
func (c *Client) ResolveAlias(ctx context.Context, alias string) (*Response, error) {
	return c.get(ctx, V3("directory", "room", alias), nil)
}

// only drops the answer and returns the error.
func only(_ *Response, err error) error { return err }

// textAt returns a function that extracts one string from the answer.
func textAt(response *Response, err error) func(path string) (string, error) {
	return func(path string) (string, error) {
		if err != nil {
			return "", err
		}
		return response.text(path)
	}
}
