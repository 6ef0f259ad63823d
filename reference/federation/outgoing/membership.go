package outgoing

// This file has the calls to join, leave, knock and invite through another server.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Template is a member event to be completed: the response to make_join, make_leave and make_knock.
type Template struct {
	RoomVersion string          `json:"room_version"` // "" in some responses to make_leave: room version 1
	Event       json.RawMessage `json:"event"`
}

// MakeJoin requests a template of a join: GET /make_join/{roomID}/{userID}. versions are the supported room versions;
// the error is a Refusal with the code M_INCOMPATIBLE_ROOM_VERSION if the room has another one.
func (c *Client) MakeJoin(ctx context.Context, server, roomID, userID string, versions []string) (Template, error) {
	return get[Template](ctx, c, server, v1("make_join", roomID, userID)+query(url.Values{"ver": versions}))
}

// MakeKnock requests a template of a knock: GET /make_knock/{roomID}/{userID}. versions are as for MakeJoin.
func (c *Client) MakeKnock(ctx context.Context, server, roomID, userID string, versions []string) (Template, error) {
	return get[Template](ctx, c, server, v1("make_knock", roomID, userID)+query(url.Values{"ver": versions}))
}

// MakeLeave requests a template of a leave: GET /make_leave/{roomID}/{userID}.
func (c *Client) MakeLeave(ctx context.Context, server, roomID, userID string) (Template, error) {
	return get[Template](ctx, c, server, v1("make_leave", roomID, userID))
}

// SendJoinAnswer is the response to send_join: the room's state before the join, with its auth chain.
type SendJoinAnswer struct {
	State     []json.RawMessage `json:"state"`
	AuthChain []json.RawMessage `json:"auth_chain"`
	Event     json.RawMessage   `json:"event"` // the join with all its signatures; nil if it was not returned
	Origin    string            `json:"origin"`
	// MembersOmitted means that State lacks some members; ServersInRoom then has all their servers.
	MembersOmitted bool     `json:"members_omitted,omitempty"`
	ServersInRoom  []string `json:"servers_in_room,omitempty"`
}

// SendJoin sends a join: PUT /send_join/{roomID}/{eventID}, version 2, or 1 if the server lacks it.
func (c *Client) SendJoin(ctx context.Context, server, roomID, eventID string, event []byte) (SendJoinAnswer, error) {
	var answer SendJoinAnswer
	return answer, c.putEither(ctx, server, "send_join", roomID, eventID, event, event, &answer)
}

// SendLeave sends a leave: PUT /send_leave/{roomID}/{eventID}, version 2, or 1 if the server lacks it.
func (c *Client) SendLeave(ctx context.Context, server, roomID, eventID string, event []byte) error {
	return c.putEither(ctx, server, "send_leave", roomID, eventID, event, event, &struct{}{})
}

// SendKnock sends a knock: PUT /send_knock/{roomID}/{eventID}. It returns the stripped state of the room.
func (c *Client) SendKnock(ctx context.Context, server, roomID, eventID string, event []byte) ([]json.RawMessage, error) {
	answer, err := ask[struct {
		KnockRoomState []json.RawMessage `json:"knock_room_state"`
	}](ctx, c, server, http.MethodPut, v1("send_knock", roomID, eventID), event)
	return answer.KnockRoomState, err
}

// Invite is the request to the invited user's server: the event, whole or partial, and stripped state of the room.
type Invite struct {
	RoomVersion     string            `json:"room_version"`
	Event           json.RawMessage   `json:"event"`
	InviteRoomState []json.RawMessage `json:"invite_room_state"`
}

// Invite sends a whole invite: PUT /invite/{roomID}/{eventID}, version 2, or 1 if the server lacks it. It returns the
// event as signed by the invited server.
func (c *Client) Invite(ctx context.Context, server, roomID, eventID string, invite Invite) (json.RawMessage, error) {
	var answer struct {
		Event json.RawMessage `json:"event"`
	}
	err := c.putEither(ctx, server, "invite", roomID, eventID, invite, []byte(invite.Event), &answer)
	if err == nil && answer.Event == nil {
		err = fmt.Errorf("%s answered the invite %s without an event", server, eventID)
	}
	return answer.Event, err
}

// InvitePartial sends a partial invite: PUT on the path that pseudonym.Rules.InvitePath returns. It returns the event
// as completed by the invited server (MSC1228, "Sending invites").
func (c *Client) InvitePartial(ctx context.Context, server, path string, invite Invite) (json.RawMessage, error) {
	answer, err := ask[struct {
		Event json.RawMessage `json:"event"`
	}](ctx, c, server, http.MethodPut, path, invite)
	if err == nil && answer.Event == nil {
		err = fmt.Errorf("%s answered a partial invite without an event", server)
	}
	return answer.Event, err
}

// putEither makes version 2 of a PUT call, or version 1, whose response is in [200, response], if the server lacks
// version 2.
func (c *Client) putEither(ctx context.Context, server, call, roomID, eventID string, in2, in1, out any) error {
	path := "/_matrix/federation/v2/" + call + "/" + url.PathEscape(roomID) + "/" + url.PathEscape(eventID)
	raw, err := c.call(ctx, server, http.MethodPut, path, in2)
	if err == nil {
		return read(raw, out, server, call)
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) || !refusal.unknownCall() {
		return err
	}
	pair, err := ask[[]json.RawMessage](ctx, c, server, http.MethodPut, v1(call, roomID, eventID), in1)
	if err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("%s on %s: the answer of version 1 has %d elements, not 2", call, server, len(pair))
	}
	return read(pair[1], out, server, call)
}

// unknownCall reports whether an error means that the server does not know a call, or this version of it.
func (r *Refusal) unknownCall() bool {
	return (r.Status == http.StatusNotFound || r.Status == http.StatusMethodNotAllowed) && (r.Code == "" || r.Code == "M_UNRECOGNIZED")
}

// v1 returns the path of a call, version 1.
func v1(call string, parameters ...string) string {
	path := "/_matrix/federation/v1/" + call
	for _, parameter := range parameters {
		path += "/" + url.PathEscape(parameter)
	}
	return path
}

func query(values url.Values) string {
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}
