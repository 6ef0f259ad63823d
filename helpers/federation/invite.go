package federation

// Invites that a peer receives: complete events (v1 and v2) and, in pseudonymous rooms, partial ones (v3), which the invited server
// completes with the invited user's key (MSC1228, "Sending invites").

import (
	"bytes"
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// invite answers PUT /invite/{roomID}/{eventID}, and /v3/invite/{roomID}/{userID} and /v3/invite/{eventID}/{userID}, for users that
// exist on the peer.
func (p *Peer) invite(request *Request) Answer {
	if !gjson.ValidBytes(request.Body) {
		return unexpected(http.StatusBadRequest, "M_NOT_JSON", "the invite is not JSON")
	}
	body := gjson.ParseBytes(request.Body)
	raw := []byte(body.Get("event").Raw)
	if request.Version == "v1" {
		raw = request.Body
	}
	version := body.Get("room_version").String()
	format := p.formatOf(raw, version)
	if request.Version == "v3" {
		return p.completeInvite(request, raw, format)
	}
	event := NewEvent(raw, format)
	invited, _ := event.StateKey()
	user := p.userByID(invited)
	if format.Pseudonymous {
		user = p.userBySender(event.RoomID(), invited)
	}
	if user == nil {
		return unknownUser(invited)
	}
	p.receive(Received{Event: event, Origin: request.Origin, Via: Invite, Room: request.Room(), Problems: p.examine(request, event)})
	signer := p.Signer()
	if format.Pseudonymous {
		signer = p.signerOf(user.KeyIn(event.RoomID()), format)
	}
	signed, err := signer.Sign(raw, format)
	if err != nil {
		return unexpected(http.StatusBadRequest, "M_BAD_JSON", "the invite cannot be signed: "+err.Error())
	}
	answer := object(field{"event", signed})
	if request.Version == "v1" {
		answer = append(append([]byte("[200,"), answer...), ']')
	}
	return Answer{Status: http.StatusOK, Body: answer}
}

// PutsInvite reports whether the request brings an invite: by its path or, where a peer does not know that, by its body.
func (r *Request) PutsInvite() bool {
	return r.Endpoint == Invite || r.Endpoint == Unknown && r.Method != http.MethodGet && bytes.Contains(r.Body, []byte(`"invite"`))
}

// PutsPartialInvite reports whether the request brings an invite to one of the paths at which peers complete it (invite/endpoint).
func (r *Request) PutsPartialInvite() bool {
	return r.Endpoint == Invite && r.Version == "v3" && len(r.Parameters) == 2 && strings.HasPrefix(r.Parameters[1], "@") &&
		(strings.HasPrefix(r.Parameters[0], "!") || strings.HasPrefix(r.Parameters[0], "$"))
}

// completeInvite adds the state key, the mapping and the signature of the invited user's key to a partial invite.
func (p *Peer) completeInvite(request *Request, partial []byte, format pseudoid.Format) Answer {
	// The path has a room ID or, in MSC1228, an event ID (invite/endpoint): the event names the room in either case.
	roomID, user := cmp.Or(gjson.GetBytes(partial, "room_id").String(), request.parameter(0)), p.userByID(request.parameter(1))
	if user == nil {
		return unknownUser(request.parameter(1))
	}
	key := user.KeyIn(roomID)
	signer := p.Signer()
	mapped, err := pseudoid.SignMapping(pseudoid.NewMapping(format.Dialect, key.Public, user.ID()), signer.Entity, signer.KeyID, signer.Key)
	if err != nil {
		return unexpected(http.StatusInternalServerError, "M_UNKNOWN", "the mapping cannot be signed: "+err.Error())
	}
	event, err := applyChanges(bytes.Clone(partial), []Change{
		SetField("state_key", key.Public),
		func(raw []byte) ([]byte, error) {
			if gjson.GetBytes(raw, "origin_server_ts").Exists() {
				return raw, nil
			}
			return sjson.SetBytes(raw, "origin_server_ts", time.Now().UnixMilli())
		},
		func(raw []byte) ([]byte, error) {
			return sjson.SetRawBytes(raw, "content."+pseudoid.MappingField, mapped)
		},
		DeleteField("hashes"), DeleteField("signatures"),
		func(raw []byte) ([]byte, error) {
			return p.signerOf(key, format).Sign(raw, format)
		},
	})
	if err != nil {
		return unexpected(http.StatusBadRequest, "M_BAD_JSON", "the partial invite cannot be completed: "+err.Error())
	}
	completed := NewEvent(event, format)
	p.receive(Received{Event: completed, Origin: request.Origin, Via: Invite, Room: p.Room(roomID), ours: true})
	return Answer{Status: http.StatusOK, Body: object(field{"event", event})}
}
