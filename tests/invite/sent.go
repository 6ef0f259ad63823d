package invite

// Invites by a user of the server under test, of a user of another server.

import (
	"errors"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// sentInvite is an invite by a user of the server under test, as it was observed.
type sentInvite struct {
	inviter, invited string // user IDs
	key              string // the inviter's sender key
	answered         error  // the error that the inviting client got
	request          federation.Request
	requested        error            // why there is no request
	event            federation.Event // as another server in the room was sent it
	sent             error            // why there is none
}

// sendsInvite lets Alice invite a user of another server, once for all checks that judge it.
func sendsInvite(c *check.C) sentInvite {
	s := stage.Open(c, blueprints.OneServer)
	return stage.Scene(s, "an invite of a remote user", func() sentInvite {
		alice, guests, witness := s.User("alice"), s.Peer(), s.Peer()
		room := witness.Joins(alice.Makes(stage.Public), witness.User("witness"))
		guest := guests.User("guest")
		seen := sentInvite{inviter: alice.UserID, invited: guest.ID(), key: room.Blaming("mapping/in-creator-join").MemberOf(alice.UserID).Sender()}
		seen.answered = alice.Client.Invite(c.Context(), room.ID(), guest.ID()) // to whichever path

		ctx, cancel := c.Within(stage.Patience)
		defer cancel()
		puts := func(request federation.Request) bool { return request.PutsInvite() }
		if seen.request, seen.requested = guests.WaitForRequest(ctx, puts); seen.requested != nil {
			seen.requested = errors.Join(seen.answered, seen.requested)
		} else if seen.answered == nil {
			seen.event, seen.sent = witness.WaitForEvent(ctx, func(event federation.Event) bool {
				return event.Type() == "m.room.member" && event.Membership() == "invite"
			})
		}
		return seen
	})
}

// partial returns the event that the inviting server sent. An invite that was not sent, or was to a path at which peers do not complete it,
// ends the check.
func (i sentInvite) partial(c *check.C) gjson.Result {
	stage.Open(c, blueprints.OneServer).TakesInvites()
	c.Need("membership/invite-remote", i.requested)
	return gjson.GetBytes(i.request.Body, "event")
}

// The inviting server builds a partial invite event: only the invited user's server knows its key (MSC1228, Sending invites).
var _ = check.Register(check.Check{
	Name:     "an invite is sent without a key of the invited user",
	Requires: []string{"invite/partial-event-sent"},
	Body: func(c *check.C) {
		sent := sendsInvite(c)
		partial := sent.partial(c)
		if key := partial.Get("state_key"); key.Exists() {
			c.Notef("the event that was sent to the invited user's server has the state key %s", key.Raw)
			if _, err := pseudoid.ParseSenderKey(key.String()); err == nil {
				c.Errorf("the event that was sent to the invited user's server names the key %s", key.Raw)
			}
		}
		if mapping := partial.Get("content." + pseudoid.MappingField); mapping.Exists() {
			c.Errorf("the event that was sent to the invited user's server has the mapping %s", mapping.Raw)
		}
		assert.Equal(c, "m.room.member", partial.Get("type").String(), "the type of the event that was sent")
		assert.Equal(c, "invite", partial.Get("content.membership").String(), "the membership of the event that was sent")
		assert.Equal(c, sent.key, federation.NewEvent([]byte(partial.Raw), formatOf(c)).Sender(), "the sender of the event that was sent")
	},
})

func formatOf(c *check.C) pseudoid.Format { return stage.Open(c, blueprints.OneServer).Format() }

// State about the room comes along, with the inviting user's join event (MSC1228, Sending invites), whose mapping alone tells
// the invited server who invites.
var _ = check.Register(check.Check{
	Name:     "an invite brings the inviter's join along",
	Requires: []string{"invite/inviter-join-included"},
	Body: func(c *check.C) {
		sent := sendsInvite(c)
		sent.partial(c)
		for _, event := range stateBeside(sent.request.Body) {
			if event.Get("type").String() != "m.room.member" || event.Get("state_key").String() != sent.key {
				continue
			}
			assert.Equal(c, "join", event.Get("content.membership").String(), "the inviter's membership in the state that came along")
			assert.Equal(c, sent.inviter, event.Get("content."+pseudoid.MappingField+".user_id").String(),
				"the user ID in the mapping of the inviter's join")
			return
		}
		c.Errorf("the state that came along with the invite has no member event of the inviter's key %s", sent.key)
	},
})

// stateBeside is the state that came along with an invite. With which body an invite is put is open (invite/endpoint): the state may stand
// beside the event, or in its unsigned data as in version 1 of the endpoint, under any name.
func stateBeside(body []byte) (state []gjson.Result) {
	for _, place := range []string{"@this", "event.unsigned"} {
		for _, list := range gjson.GetBytes(body, place).Map() {
			if list.IsArray() {
				state = append(state, list.Array()...)
			}
		}
	}
	return state
}

// The inviting server adds its signature, so that the federation gets an event that both have signed (MSC1228, Sending
// invites).
var _ = check.Register(check.Check{
	Name:     "the federation gets an invite that inviter and invited have signed",
	Requires: []string{"invite/signed-by-inviter"},
	Body: func(c *check.C) {
		sent := sendsInvite(c)
		sent.partial(c)
		c.Need("membership/invite-remote", errors.Join(sent.answered, sent.sent))
		assert.Equal(c, sent.key, sent.event.Sender(), "the sender of the invite")
		_, err := pseudoid.VerifySenderSignature(sent.event.JSON(), sent.event.Format())
		assert.NoError(c, err, "the inviter's signature of the invite")
		_, err = pseudoid.VerifyInvitedSignature(sent.event.JSON(), sent.event.Format())
		assert.NoError(c, err, "the invited user's signature of the invite")
	},
})

// MSC1228 has the event ID in the path, which a partial event has not yet; MSC4014 does not speak of it.
var _ = check.Register(check.Check{
	Name:     "where partial invites are put",
	Requires: []string{"invite/endpoint"},
	Body: func(c *check.C) {
		sent := sendsInvite(c)
		if sent.requested != nil {
			c.Observe(verdict.NoneSeen, "%v", sent.requested)
			return
		}
		reading, parameters := "other", sent.request.Parameters
		namesUser := len(parameters) == 2 && parameters[1] == sent.invited
		switch {
		case sent.request.Version == "v3" && namesUser && strings.HasPrefix(parameters[0], "!"):
			reading = "v3-room-user"
		case sent.request.Version == "v3" && namesUser && strings.HasPrefix(parameters[0], "$"):
			reading = "v3-event-user"
		case sent.request.Version == "v2" && gjson.GetBytes(sent.request.Body, "event.state_key").Exists():
			reading = "v2-ordinary"
		}
		var fields []string
		gjson.ParseBytes(sent.request.Body).ForEach(func(name, _ gjson.Result) bool {
			fields = append(fields, name.String())
			return true
		})
		c.Observe(reading, "%s %s, with %s", sent.request.Method, sent.request.URI, strings.Join(fields, ", "))
	},
})
