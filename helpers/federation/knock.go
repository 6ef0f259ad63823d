package federation

// Knocking on a room: through another server (make_knock, send_knock), and as the resident server.

import (
	"context"
	"net/http"
	"net/url"
)

// MakeKnock asks a server for a knock template: GET /_matrix/federation/v1/make_knock/{roomID}/{userID}. The answer may be a
// refusal; it is an error if there is none.
func (p *Peer) MakeKnock(ctx context.Context, server, roomID, userID string) (Answer, error) {
	return p.make(ctx, MakeKnock, server, roomID, userID, p.roomVersions())
}

// KnockTemplate asks a server for a knock template and returns a template of the user's knock.
func (p *Peer) KnockTemplate(ctx context.Context, server, roomID string, user *User) (Template, error) {
	answer, err := p.MakeKnock(ctx, server, roomID, user.ID())
	if err != nil {
		return Template{}, err
	}
	return p.templateOf(answer, "knock", MakeKnock, server, roomID, user)
}

// SendKnock sends a knock: PUT /_matrix/federation/v1/send_knock/{roomID}/{eventID}. The answer may be a refusal; it is an error if
// there is none.
func (p *Peer) SendKnock(ctx context.Context, server, roomID string, event Event) (Answer, error) {
	uri := "/_matrix/federation/v1/send_knock/" + url.PathEscape(roomID) + "/" + url.PathEscape(event.ID())
	return p.Do(ctx, server, http.MethodPut, uri, event.JSON())
}

// makeKnock answers with a knock template.
func (p *Peer) makeKnock(request *Request) Answer {
	room := request.Room()
	if room == nil {
		return unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer is not in the room "+request.parameter(0))
	}
	if rule := room.joinRule(); rule != "knock" && rule != "knock_restricted" {
		return unexpected(http.StatusForbidden, "M_FORBIDDEN", "nobody may knock on a room whose join rule is "+rule)
	}
	return room.makeMember(request, "knock")
}

// sendKnock accepts a knock and answers with the stripped state of the room.
func (p *Peer) sendKnock(request *Request) Answer {
	event, room, refusal := p.receiveMember(request, SendKnock, "knock")
	if refusal != nil {
		return *refusal
	}
	room.Apply(event)
	p.forward(room, event, request.Origin)
	return Answer{Status: http.StatusOK, Body: object(events("knock_room_state", room.Stripped()))}
}
