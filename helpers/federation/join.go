package federation

// Joining a room through another server: make_join and send_join.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// roomVersions returns the versions that the peer supports: its pseudonymous one, 10 and 11.
func (p *Peer) roomVersions() []string {
	return []string{p.Format().RoomVersion, pseudoid.FormatV10.RoomVersion, pseudoid.FormatV11.RoomVersion}
}

// MakeJoin asks a server for a join template: GET /_matrix/federation/v1/make_join/{roomID}/{userID}. Without versions, it sends
// all that the peer supports. The answer may be a refusal; it is an error if there is none.
func (p *Peer) MakeJoin(ctx context.Context, server, roomID, userID string, versions ...string) (Answer, error) {
	if len(versions) == 0 {
		versions = p.roomVersions()
	}
	return p.make(ctx, MakeJoin, server, roomID, userID, versions)
}

// make asks for a template for a user. Where the candidate names users by keys, so does the peer its own ones.
func (p *Peer) make(ctx context.Context, endpoint Endpoint, server, roomID, userID string, versions []string) (Answer, error) {
	if user := p.userByID(userID); user != nil && p.Format().TemplatesByKey {
		answer, err := p.makeNamed(ctx, endpoint, server, roomID, string(user.KeyIn(roomID).Public), versions)
		if err != nil || answer.OK() {
			return answer, err
		}
		// The room may be an ordinary one: only a template tells.
	}
	return p.makeNamed(ctx, endpoint, server, roomID, userID, versions)
}

func (p *Peer) makeNamed(ctx context.Context, endpoint Endpoint, server, roomID, name string, versions []string) (Answer, error) {
	uri := "/_matrix/federation/v1/" + string(endpoint) + "/" + url.PathEscape(roomID) + "/" + url.PathEscape(name)
	if len(versions) > 0 {
		uri += "?" + url.Values{"ver": versions}.Encode()
	}
	return p.Do(ctx, server, http.MethodGet, uri, nil)
}

// JoinTemplate asks a server for a join template and returns a template of the user's join: placement and content are the
// server's; sender, state key and mapping are the user's (MSC4014 does not say what the server writes there).
func (p *Peer) JoinTemplate(ctx context.Context, server, roomID string, user *User) (Template, error) {
	answer, err := p.MakeJoin(ctx, server, roomID, user.ID())
	if err != nil {
		return Template{}, err
	}
	return p.templateOf(answer, "join", MakeJoin, server, roomID, user)
}

// templateOf returns a template made from the answer to make_join, make_leave or make_knock.
func (p *Peer) templateOf(answer Answer, membership string, endpoint Endpoint, server, roomID string, user *User) (Template, error) {
	proto := answer.Get("event")
	if !answer.OK() || !proto.IsObject() {
		return Template{}, fmt.Errorf("%s gave %s no %s template for %s in %s: %s", server, p.name, endpoint, user.ID(), roomID, answer)
	}
	format := p.formatOf([]byte(proto.Raw), answer.Get("room_version").String())
	where := placement{prev: stringsOf(proto.Get("prev_events")), auth: stringsOf(proto.Get("auth_events")), depth: proto.Get("depth").Int()}
	place := func(string, string, *string, []byte) placement { return where }
	content := []byte(proto.Get("content").Raw)
	if format.Pseudonymous {
		// Only the user's own server can sign its mapping.
		content, _ = sjson.DeleteBytes(content, pseudoid.MappingField)
	}
	return memberTemplate(p, roomID, format, place, user, membership, content), nil
}

// SendJoinAnswer is the answer to send_join.
type SendJoinAnswer struct {
	Answer
	// State is the room's state before the join, AuthChain the auth chain of that state. Both are empty after a refusal.
	State, AuthChain []Event
	// Event is the join as the server returned it, or as it was sent if the server returned none.
	Event Event
	// Room is the peer's model of the room, nil after a refusal.
	Room *Room
}

// SendJoin sends a join: PUT /_matrix/federation/v2/send_join/{roomID}/{eventID}. If the server accepts it, the peer replaces its
// model of the room by the answer, or only applies the join if one of its users is in the room already. The answer may be a
// refusal; it is an error if there is none.
func (p *Peer) SendJoin(ctx context.Context, server, roomID string, event Event) (*SendJoinAnswer, error) {
	uri := "/_matrix/federation/v2/send_join/" + url.PathEscape(roomID) + "/" + url.PathEscape(event.ID())
	answer, err := p.Do(ctx, server, http.MethodPut, uri, event.JSON())
	if err != nil {
		return nil, err
	}
	result := &SendJoinAnswer{Answer: answer, Event: event}
	if !answer.OK() || !gjson.ValidBytes(answer.Body) {
		return result, nil
	}
	if returned := answer.Get("event"); returned.IsObject() {
		if given := NewEvent([]byte(returned.Raw), event.format); given.ID() == event.ID() {
			result.Event = given
		}
	}
	result.State = eventsOf(answer.Get("state"), event.format)
	result.AuthChain = eventsOf(answer.Get("auth_chain"), event.format)
	known := p.addRoom(newRoom(p, roomID, event.format))
	if slices.Contains(known.joinedServers(), p.name) {
		known.Apply(result.Event)
	} else {
		known.adopt(result.State, result.AuthChain, result.Event) // the peer may have missed events while it was not in the room
	}
	result.Room = known
	for _, served := range append(append([]Event{}, result.AuthChain...), result.State...) {
		p.notify(known, server, served)
	}
	return result, nil
}

// notify calls Options.OnReceivedEvent for an event from a server that is not one of our peers.
func (p *Peer) notify(room *Room, origin string, event Event) {
	if p.sw.options.OnReceivedEvent != nil && !p.sw.isPeer(origin) {
		p.sw.options.OnReceivedEvent(p, room, origin, event)
	}
}

// Join joins a user to a room through a server: make_join, then send_join.
func (p *Peer) Join(ctx context.Context, server, roomID string, user *User) (*Room, error) {
	template, err := p.JoinTemplate(ctx, server, roomID, user)
	if err != nil {
		return nil, err
	}
	event, err := template.Build()
	if err != nil {
		return nil, err
	}
	answer, err := p.SendJoin(ctx, server, roomID, event)
	if err != nil {
		return nil, err
	}
	if answer.Room == nil {
		return nil, fmt.Errorf("%s refused the join of %s in %s: %s", server, user.ID(), roomID, answer.Answer)
	}
	if len(answer.State) == 0 {
		return nil, fmt.Errorf("%s accepted the join of %s in %s, but its answer has no state: %s", server, user.ID(), roomID, answer.Answer)
	}
	return answer.Room, nil
}
