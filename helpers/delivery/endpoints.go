package delivery

import (
	"context"
	"net/http"
	"net/url"

	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
)

// MembershipEndpoints are the endpoints of the federation API at which a server is sent a member event, or asked for the template of one,
// besides /send and /send_join: leaves, knocks, invites of each version, and templates of joins, leaves and knocks. Each hostile event
// is put to all of them, and its key named as the user of the templates: most resolve to nobody.
var MembershipEndpoints = Path{
	Name: "the other endpoints of memberships",
	Attack: func(a *Attack, inputs []hostile.Input) {
		room := url.PathEscape(a.Room.ID())
		for i, input := range inputs {
			leave, knock, invite := a.forgeMember(input, "leave"), a.forgeMember(input, "knock"), a.forgeMember(input, "invite")
			for _, each := range []struct {
				endpoint string
				body     []byte
			}{
				{"v2/send_leave/" + room + "/" + url.PathEscape(leave.ID()), leave.JSON()},
				{"v1/send_knock/" + room + "/" + url.PathEscape(knock.ID()), knock.JSON()},
				{"v1/invite/" + room + "/" + url.PathEscape(invite.ID()), invite.JSON()},
				{"v2/invite/" + room + "/" + url.PathEscape(invite.ID()), a.inviteBody(invite.JSON())},
				{"v3/invite/" + room + "/" + url.PathEscape(a.Alice.UserID), a.inviteBody(invite.JSON())},
			} {
				a.asks(func(ctx context.Context) error {
					_, err := a.Origin.Do(ctx, a.ServerName(1), http.MethodPut, "/_matrix/federation/"+each.endpoint, each.body)
					return err
				})
			}
			if i >= mostTemplates {
				continue
			}
			versions := "?ver=" + url.QueryEscape(a.Format().RoomVersion)
			for _, membership := range []string{"join", "leave", "knock"} {
				uri := "/_matrix/federation/v1/make_" + membership + "/" + room + "/" + url.PathEscape(invite.Sender()) + versions
				a.asks(func(ctx context.Context) error {
					_, err := a.Origin.Do(ctx, a.ServerName(1), http.MethodGet, uri, nil)
					return err
				})
			}
		}
	},
}

// mostTemplates is for how many events of a batch templates are asked for: it is their keys alone that differ there.
const mostTemplates = 5

// forgeMember makes a member event of an input, by another user of Origin.
func (a *Attack) forgeMember(input hostile.Input, membership string) federation.Event {
	liar := a.liar()
	honest := a.Room.Made(a.Room.MemberTemplate(liar, membership).WithMappingOf(liar)).JSON()
	return a.marks(a.Honest(a.Room, liar, honest).Forge(input))
}

// inviteBody is the body of an invite with an event as it is, which may not be JSON.
func (a *Attack) inviteBody(event []byte) []byte {
	body := append([]byte(`{"room_version":"`+a.Format().RoomVersion+`","invite_room_state":[],"event":`), event...)
	return append(body, '}')
}
