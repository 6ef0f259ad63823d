package invite

// Chapter invite, the inviting side: a user of the server under test invites one of another server, which alone knows the
// invited user's key (MSC1228, Sending invites).

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// sentInvite is what came of an invite of a user of the server under test.
type sentInvite struct {
	inviter, invited string // user IDs
	key              string // the inviter's sender key
	answered         error  // what the inviting client was told
	request          federation.Request
	requested        error            // why there is no request
	event            federation.Event // as another server in the room was sent it
	sent             error            // why there is none
}

// sendsInvite lets alice invite a user of another server, once for all checks that look at it.
func sendsInvite(c *check.C) sentInvite {
	s := stage.Open(c, blueprints.OneServer)
	return stage.Scene(s, "an invite of a remote user", func() sentInvite {
		alice, guests, witness := s.User("alice"), s.Peer(), s.Peer()
		room := witness.Joins(alice.Makes(stage.Public), witness.User("witness"))
		guest := guests.User("guest")
		seen := sentInvite{inviter: alice.UserID, invited: guest.ID(), key: room.Blaming("mapping/in-creator-join").MemberOf(alice.UserID).Sender()}
		seen.answered = alice.Invite(c.Context(), room.ID(), guest.ID())

		ctx, cancel := c.Within(stage.Patience)
		defer cancel()
		isInvite := func(request federation.Request) bool { return request.Endpoint == federation.Invite }
		if seen.request, seen.requested = guests.WaitForRequest(ctx, isInvite); seen.requested != nil {
			seen.requested = errors.Join(seen.answered, seen.requested)
		} else if seen.answered == nil {
			seen.event, seen.sent = witness.WaitForEvent(ctx, func(event federation.Event) bool {
				return event.Type() == "m.room.member" && event.Membership() == "invite"
			})
		}
		return seen
	})
}

// partial is the event that the inviting server sent; an invite that was not sent ends the check.
func (i sentInvite) partial(c *check.C) gjson.Result {
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
			c.Errorf("the event that was sent to the invited user's server has the state key %q", key.String())
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
		for _, event := range gjson.GetBytes(sent.request.Body, "invite_room_state").Array() {
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
		whole := gjson.GetBytes(sent.request.Body, "event.state_key").Exists()
		switch {
		case sent.request.Version == "v3" && len(parameters) == 2 && parameters[1] == sent.invited && strings.HasPrefix(parameters[0], "!"):
			reading = "v3-room-user"
		case sent.request.Version == "v3" && len(parameters) == 2 && parameters[1] == sent.invited && strings.HasPrefix(parameters[0], "$"):
			reading = "v3-event-user"
		case sent.request.Version == "v2" && whole:
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

// tampering is what an invited server does to the event that it is to complete, beyond what it is to add. What authorises the
// result is changed along, so that nothing else is wrong with it.
var tampering = []struct {
	what   string
	change func(scene tamperedInvite) []federation.Change
}{
	{"another type", func(scene tamperedInvite) []federation.Change {
		return []federation.Change{federation.SetField("type", "m.room.topic"), scene.authorisedBy(scene.inviter)}
	}},
	{"another room", func(scene tamperedInvite) []federation.Change {
		return []federation.Change{federation.SetField("room_id", scene.elsewhere)}
	}},
	{"another sender", func(scene tamperedInvite) []federation.Change {
		mole := string(scene.mole.Public)
		return []federation.Change{
			federation.SetField(scene.room.Format().SenderField(), mole), scene.authorisedBy(mole, "m.room.join_rules"),
		}
	}},
	{"another membership", func(scene tamperedInvite) []federation.Change {
		return []federation.Change{federation.SetField("content.membership", "ban"), scene.authorisedBy(scene.inviter)}
	}},
	{"another reason", func(tamperedInvite) []federation.Change {
		return []federation.Change{federation.SetField("content.reason", "not the inviter's")}
	}},
}

// tamperedInvite is who plays: alice invites the liar, whose server tampers with the event. The mole is a user of it who is in the
// room already.
type tamperedInvite struct {
	room       *stage.Room      // as the liar's server knows it
	inviter    string           // alice's key
	liar, mole pseudoid.KeyPair // their keys
	elsewhere  string           // another room of alice's
}

// authorisedBy writes the auth events of an event by a sender: the room's beginning, its power levels, the sender's member
// event, and what else it stands on.
func (t tamperedInvite) authorisedBy(sender string, others ...string) federation.Change {
	ids := []string{}
	add := func(eventType, stateKey string) {
		if event, known := t.room.StateEvent(eventType, stateKey); known {
			ids = append(ids, event.ID())
		}
	}
	add("m.room.member", sender)
	for _, eventType := range append([]string{"m.room.create", "m.room.power_levels"}, others...) {
		add(eventType, "")
	}
	return federation.SetField("auth_events", ids)
}

// The invited server adds the state key, the mapping and its signature (MSC1228, Sending invites): nothing else of an event
// that the inviter is about to sign is its to write.
func init() {
	for _, tamper := range tampering {
		check.Register(check.Check{
			Name:     "a completed invite with " + tamper.what + " is refused",
			Requires: []string{"invite/tampered-completion-refused"},
			Path:     "invite",
			Body: func(c *check.C) {
				s := stage.Open(c, blueprints.OneServer)
				alice, mallory, witness := s.User("alice"), s.Peer(), s.Peer()
				room := witness.Joins(alice.Makes(stage.Public), witness.User("witness"))
				honest, liar, mole := mallory.User("honest"), mallory.User("liar"), mallory.User("mole")
				roomOfLiar := mallory.Joins(room.ID(), mole)
				err := alice.Invite(c.Context(), room.ID(), honest.ID())
				if err == nil {
					_, err = alice.SeesMembership(room.ID(), honest.ID(), "invite")
				}
				c.Control(err)

				scene := tamperedInvite{
					room: roomOfLiar, inviter: room.Blaming("mapping/in-creator-join").MemberOf(alice.UserID).Sender(),
					liar: liar.KeyIn(room.ID()), mole: mole.KeyIn(room.ID()), elsewhere: alice.Makes(stage.Public),
				}
				lies := make(chan federation.Event, 1)
				mallory.Handle(federation.Invite, func(_ *federation.Request, complete func() federation.Answer) federation.Answer {
					answer := complete()
					lie, err := tamperedWith([]byte(answer.Get("event").Raw), scene, tamper.change(scene)...)
					if err != nil {
						return federation.Refusal(http.StatusInternalServerError, "M_UNKNOWN", err.Error())
					}
					select {
					case lies <- lie:
					default: // asked again
					}
					return federation.JSON(answer.Status, map[string]any{"event": lie})
				})
				answered := alice.Invite(c.Context(), room.ID(), liar.ID())
				var lie federation.Event
				select {
				case lie = <-lies:
				default:
					c.Need("membership/invite-remote",
						errors.Join(answered, errors.New("the invited user's server was not asked to complete the invite")))
				}
				c.Notef("the server answered alice's invite with %v", answered)
				for _, roomID := range slices.Compact([]string{lie.RoomID(), room.ID()}) {
					barrier := alice.Says(roomID, "said after the tampered invite")
					alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, barrier)
					for _, view := range alice.Refused(roomID, lie) {
						for _, event := range scenes.EventsOf(view, lie.ID()) {
							c.Notef("%s shows an event of type %s, written by the invited user's server, as sent by %s", view.Name,
								event.Get("type").String(), event.Get("sender").String())
						}
					}
				}
				room.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(room.ID(), "said to the others in the room"))
				if witness.HasReceived(lie.ID()) {
					c.Errorf("the server sent the tampered invite %s to the others in the room", lie.ID())
				}
			},
		})
	}
}

// tamperedWith alters a completed invite and signs it anew, by the invited key, and by the mole's for where that is the sender.
func tamperedWith(completed []byte, scene tamperedInvite, changes ...federation.Change) (federation.Event, error) {
	format := scene.room.Format()
	changes = append(changes, federation.DeleteField("hashes"), federation.DeleteField("signatures"))
	for _, key := range []pseudoid.KeyPair{scene.liar, scene.mole} {
		signer := federation.SenderKeySigner(key)
		changes = append(changes, func(raw []byte) ([]byte, error) {
			return pseudoid.SignEvent(raw, format, signer.Entity, signer.KeyID, signer.Key)
		})
	}
	raw := bytes.Clone(completed)
	for _, change := range changes {
		altered, err := change(raw)
		if err != nil {
			return federation.Event{}, err
		}
		raw = altered
	}
	return federation.NewEvent(raw, format), nil
}
