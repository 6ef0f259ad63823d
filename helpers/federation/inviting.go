package federation

// Invites that a peer sends: in pseudonymous rooms a partial event, which the invited server completes (MSC1228, "Sending invites"), in
// ordinary ones a complete event.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// PartialInvite returns the invite that an inviting server sends: without state key, hashes and signatures.
func (r *Room) PartialInvite(inviter *User) ([]byte, error) {
	content := map[string]any{"membership": "invite"}
	template, err := r.Template(Proto{Type: "m.room.member", Sender: inviter, Content: content, StateKey: StateKey("")})
	if err != nil {
		return nil, err
	}
	event, err := template.SignedBy().Build()
	if err != nil {
		return nil, err
	}
	return applyChanges(event.JSON(), []Change{DeleteField("state_key"), DeleteField("hashes"), DeleteField("signatures")})
}

// Invite invites a user of another server. It sends the partial event to the path of the room's format: the deployed protocol's,
// /v3/invite/{roomID}/{userID}, or MSC1228's, whose first parameter is an event ID. It returns the completed event as the server
// returned it; the caller has to sign it as the inviter and apply it. The answer may be a refusal; it is an error if there is none, or
// if it has no event.
func (r *Room) Invite(ctx context.Context, server string, inviter *User, userID string) (Event, Answer, error) {
	return r.InviteFrom(ctx, r.peer, server, inviter, userID)
}

// InviteFrom is Invite with a request from another peer than the inviter's, and with a partial event that is altered by changes.
func (r *Room) InviteFrom(
	ctx context.Context, from *Peer, server string, inviter *User, userID string, changes ...Change,
) (Event, Answer, error) {
	return r.InviteWithState(ctx, from, server, inviter, userID, r.Stripped(), changes...)
}

// InviteWithState is InviteFrom with other stripped state than the room's.
func (r *Room) InviteWithState(
	ctx context.Context, from *Peer, server string, inviter *User, userID string, state []Event, changes ...Change,
) (Event, Answer, error) {
	partial, err := r.PartialInvite(inviter)
	if err != nil {
		return Event{}, Answer{}, err
	}
	if partial, err = applyChanges(partial, changes); err != nil {
		return Event{}, Answer{}, err
	}
	body := object(text("room_version", r.Version()), events("invite_room_state", state), field{"event", partial})
	named := r.id
	if r.format.InviteByEventID {
		named = NewEvent(partial, r.format).ID()
	}
	uri := "/_matrix/federation/v3/invite/" + url.PathEscape(named) + "/" + url.PathEscape(userID)
	answer, err := from.Do(ctx, server, http.MethodPut, uri, body)
	if err != nil {
		return Event{}, answer, err
	}
	completed := answer.Get("event")
	if !answer.OK() {
		return Event{}, answer, nil
	}
	if !completed.IsObject() {
		return Event{}, answer, errors.New(server + " answered the invite without an event")
	}
	event := NewEvent([]byte(completed.Raw), r.format)
	if len(changes) > 0 { // what it says is not the server's
		return event, answer, nil
	}
	r.peer.notify(r, server, event)
	r.learnInvited(event, userID)
	return event, answer, nil
}

// InviteOrdinary invites a user of another server to a room of an ordinary version: PUT /_matrix/federation/v2/invite (server-server API,
// Inviting to a room). It returns the event as the invited server signed it; the caller has to apply it. A refusal is an error.
func (r *Room) InviteOrdinary(ctx context.Context, server string, inviter *User, userID string) (Event, error) {
	event, err := r.Build(Proto{
		Type: "m.room.member", Sender: inviter, StateKey: StateKey(userID), Content: map[string]string{"membership": "invite"},
	})
	if err != nil {
		return Event{}, err
	}
	body := object(text("room_version", r.Version()), events("invite_room_state", r.Stripped()), field{"event", event.JSON()})
	uri := "/_matrix/federation/v2/invite/" + url.PathEscape(r.id) + "/" + url.PathEscape(event.ID())
	answer, err := r.peer.Do(ctx, server, http.MethodPut, uri, body)
	if err != nil {
		return Event{}, err
	}
	signed := answer.Get("event")
	if !answer.OK() || !signed.IsObject() {
		return Event{}, fmt.Errorf("%s answered the invite of %s to %s with %s", server, userID, r.id, answer)
	}
	return NewEvent([]byte(signed.Raw), r.format), nil
}

// learnInvited stores whose key a completed invite names: the inviting server knows, whether or not the event has a mapping.
func (r *Room) learnInvited(invite Event, userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key, named := invite.StateKey(); named && r.users[key] == "" {
		r.users[key] = userID
	}
}

// Stripped returns the state that goes with an invite or the answer to a knock, as events with neither ID nor signature.
func (r *Room) Stripped() []Event {
	var stripped []Event
	for _, event := range r.State() {
		switch event.Type() {
		case "m.room.create", "m.room.join_rules", "m.room.name", "m.room.canonical_alias", "m.room.avatar", "m.room.member":
			key, _ := event.StateKey()
			stripped = append(stripped, Event{json: object(
				text("type", event.Type()), text("state_key", key), text(r.format.SenderField(), event.Sender()),
				field{"content", []byte(cmp.Or(event.Get("content").Raw, "null"))},
			)})
		}
	}
	return stripped
}
