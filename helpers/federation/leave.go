package federation

// Leaving a room: by an event of its own if the peer is in the room, through another server (make_leave, send_leave) if it is not,
// for example after an invite.

import (
	"context"
	"net/http"
	"net/url"
)

// MakeLeave asks a server for a leave template: GET /_matrix/federation/v1/make_leave/{roomID}/{userID}. The answer may be a
// refusal; it is an error if there is none.
func (p *Peer) MakeLeave(ctx context.Context, server, roomID, userID string) (Answer, error) {
	return p.make(ctx, MakeLeave, server, roomID, userID, nil)
}

// LeaveTemplate asks a server for a leave template and returns a template of the user's leave.
func (p *Peer) LeaveTemplate(ctx context.Context, server, roomID string, user *User) (Template, error) {
	answer, err := p.MakeLeave(ctx, server, roomID, user.ID())
	if err != nil {
		return Template{}, err
	}
	return p.templateOf(answer, "leave", MakeLeave, server, roomID, user)
}

// SendLeave sends a leave: PUT /_matrix/federation/v2/send_leave/{roomID}/{eventID}. If the server accepts it, it is applied to the
// peer's model of the room, if there is one. The answer may be a refusal; it is an error if there is none.
func (p *Peer) SendLeave(ctx context.Context, server, roomID string, event Event) (Answer, error) {
	uri := "/_matrix/federation/v2/send_leave/" + url.PathEscape(roomID) + "/" + url.PathEscape(event.ID())
	answer, err := p.Do(ctx, server, http.MethodPut, uri, event.JSON())
	if err == nil && answer.OK() {
		if room := p.Room(roomID); room != nil {
			room.Apply(event)
		}
	}
	return answer, err
}
