package invite

// Completed invites in which the invited server changed more than it may.

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// tampering is what the invited server changes in an event that it completes. Its auth events are changed along, so that
// nothing else is wrong with it. It is signed again by the invited key, unless it is unsigned, and by that of the member, which
// may be the sender.
var tampering = []struct {
	what     string
	unsigned bool
	changes  func(t tamperedInvite) []federation.Change
}{
	{"another type", false, func(t tamperedInvite) []federation.Change {
		return []federation.Change{federation.SetField("type", "m.room.topic"), t.authorisedBy(t.inviter)}
	}},
	{"another room", false, func(t tamperedInvite) []federation.Change {
		return []federation.Change{federation.SetField("room_id", t.elsewhere)}
	}},
	{"another sender", false, func(t tamperedInvite) []federation.Change {
		member := string(t.member.Public)
		return []federation.Change{
			federation.SetField(t.room.Format().SenderField(), member), t.authorisedBy(member, "m.room.join_rules"),
		}
	}},
	{"another membership", false, func(t tamperedInvite) []federation.Change {
		return []federation.Change{federation.SetField("content.membership", "ban"), t.authorisedBy(t.inviter)}
	}},
	{"another reason", false, func(tamperedInvite) []federation.Change {
		return []federation.Change{federation.SetField("content.reason", "not the inviter's")}
	}},
	{"other previous events", false, func(t tamperedInvite) []federation.Change {
		earlier, _ := t.room.StateEvent("m.room.member", string(t.member.Public))
		return []federation.Change{federation.SetField("prev_events", []string{earlier.ID()})}
	}},
	{"other auth events", false, func(t tamperedInvite) []federation.Change { // as valid, without the join rules
		return []federation.Change{t.authorisedBy(t.inviter)}
	}},
	{"the mapping of another user", false, func(t tamperedInvite) []federation.Change {
		server := t.mallory.Signer()
		mapping := pseudoid.NewMapping(t.Format().Dialect, t.invited.Public, t.mallory.User("another").ID())
		mapping, err := pseudoid.SignMapping(mapping, server.Entity, server.KeyID, server.Key)
		if err != nil {
			t.C.SuiteError(err)
		}
		return []federation.Change{federation.SetField("content."+pseudoid.MappingField, json.RawMessage(mapping))}
	}},
	{"no signature by the invited key", true, func(tamperedInvite) []federation.Change { return nil }},
}

// tamperedInvite is a room of Alice, and an invite by her that the invited server tampers with.
type tamperedInvite struct {
	*stage.Stage
	alice            *stage.User
	witness, mallory *stage.Peer      // mallory is the invited server
	witnessed, room  *stage.Room      // as witness and as mallory know it
	inviter          string           // alice's key
	invited, member  pseudoid.KeyPair // keys of users of mallory; member is in the room already
	elsewhere        string           // another room of alice
}

// openTamperedInvite makes the room. The control is an honest invite.
func openTamperedInvite(c *check.C) tamperedInvite {
	s := stage.Open(c, blueprints.OneServer)
	t := tamperedInvite{Stage: s, alice: s.User("alice"), witness: s.Peer(), mallory: s.Peer()}
	t.witnessed = t.witness.Joins(t.alice.Makes(stage.Public), t.witness.User("witness"))
	roomID, member, honest := t.witnessed.ID(), t.mallory.User("member"), t.mallory.User("honest")
	t.room = t.mallory.Joins(roomID, member)
	err := t.alice.Invite(c.Context(), roomID, honest.ID())
	if err == nil {
		_, err = t.alice.SeesMembership(roomID, honest.ID(), "invite")
	}
	c.Control(err)
	t.inviter = t.witnessed.Blaming("mapping/in-creator-join").MemberOf(t.alice.UserID).Sender()
	t.invited, t.member, t.elsewhere = t.mallory.User("liar").KeyIn(roomID), member.KeyIn(roomID), t.alice.Makes(stage.Public)
	return t
}

// The invited server adds the state key, the mapping and its signature (MSC1228, Sending invites): nothing else of an event
// that the inviter is about to sign is its to write.
func init() {
	for _, each := range tampering {
		check.Register(check.Check{
			Name:     "a completed invite with " + each.what + " is refused",
			Requires: []string{"invite/tampered-completion-refused"},
			Path:     "invite",
			Body: func(c *check.C) {
				t := openTamperedInvite(c)
				keys := []pseudoid.KeyPair{t.member, t.invited}
				if each.unsigned {
					keys = keys[:1]
				}
				tampered := t.invitesTampered(each.changes(t), keys)
				for _, roomID := range slices.Compact([]string{tampered.RoomID(), t.room.ID()}) {
					t.isRefused(roomID, tampered)
				}
				t.witnessed.Blaming("routing/reaches-members").AwaitsEvent(t.alice.Says(t.room.ID(), "said to the others in the room"))
				if t.witness.HasReceived(tampered.ID()) {
					c.Errorf("the server sent the tampered invite %s to the others in the room", tampered.ID())
				}
			},
		})
	}
}

// invitesTampered lets Alice invite a user of Mallory, which changes the invite, and returns the event as Mallory returned it.
func (t tamperedInvite) invitesTampered(changes []federation.Change, keys []pseudoid.KeyPair) federation.Event {
	completed := make(chan federation.Event, 1)
	t.mallory.Handle(federation.Invite, func(_ *federation.Request, complete func() federation.Answer) federation.Answer {
		answer := complete()
		event, err := t.tampered([]byte(answer.Get("event").Raw), changes, keys)
		if err != nil {
			return federation.Refusal(http.StatusInternalServerError, "M_UNKNOWN", err.Error())
		}
		select {
		case completed <- event:
		default: // asked again
		}
		return federation.JSON(answer.Status, map[string]any{"event": event})
	})
	answered := t.alice.Invite(t.C.Context(), t.room.ID(), t.mallory.User("liar").ID())
	t.C.Notef("the server answered alice's invite with %v", answered)
	select {
	case event := <-completed:
		t.C.UnderTest()
		return event
	default:
		t.C.Need("membership/invite-remote",
			errors.Join(answered, errors.New("the invited user's server was not asked to complete the invite")))
		return federation.Event{}
	}
}

// isRefused ensures that clients are shown nothing of an event in a room, after a barrier.
func (t tamperedInvite) isRefused(roomID string, event federation.Event) {
	barrier := t.alice.Says(roomID, "said after the tampered invite")
	t.alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, barrier)
	for _, view := range t.alice.Refused(roomID, event) {
		for _, shown := range scenes.EventsOf(view, event.ID()) {
			t.C.Notef("%s shows an event of type %s, written by the invited user's server, as sent by %s", view.Name,
				shown.Get("type").String(), shown.Get("sender").String())
		}
	}
}

// authorisedBy sets the auth events of an event by a sender: the create event, the power levels, the sender's member event, and
// the state of other types.
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

// tampered changes a completed invite and signs it again by the keys.
func (t tamperedInvite) tampered(completed []byte, changes []federation.Change, keys []pseudoid.KeyPair) (federation.Event, error) {
	format := t.room.Format()
	changes = append(changes, federation.DeleteField("hashes"), federation.DeleteField("signatures"))
	for _, key := range keys {
		signer := t.room.SignerOf(key)
		changes = append(changes, func(raw []byte) ([]byte, error) { return signer.Sign(raw, format) })
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
