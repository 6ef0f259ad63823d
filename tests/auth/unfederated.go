package auth

// Rooms that do not federate, in servers that apply the rule: it compares the sender's domain with the creator's (authorisation
// rule 3), and a key has a domain by its mapping alone.

import (
	"errors"
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// unfederatedClaims are ways to claim a user of the creator's domain without its signature.
var unfederatedClaims = []struct {
	name  string
	alter func(honest federation.Template, claimed string) federation.Template
}{
	{"a claim of the creator's domain that only the sender's server signed", federation.Template.Claiming},
	{"a claim of the creator's domain that nobody signed", func(honest federation.Template, claimed string) federation.Template {
		return honest.Claiming(claimed).MappingSignedBy()
	}},
}

// strangersEvents are the member events by which a user of another server may come to a room, or reject an invite to it, and how each is
// delivered.
var strangersEvents = []struct {
	membership, joinRule, path string
	push                       func(s *stage.Stage, p *stage.Peer, event federation.Event) federation.Answer
}{
	{"join", "public", "send_join", putMember("v2/send_join")},
	{"join", "public", "send", pushMember},
	{"knock", "knock", "send_knock", putMember("v1/send_knock")},
	{"knock", "knock", "send", pushMember},
	{"leave", "invite", "send_leave", putMember("v2/send_leave")},
	{"leave", "invite", "send", pushMember},
}

func putMember(endpoint string) func(*stage.Stage, *stage.Peer, federation.Event) federation.Answer {
	return func(s *stage.Stage, p *stage.Peer, event federation.Event) federation.Answer {
		return delivery.PutMember(s, p, endpoint, event)
	}
}

func pushMember(s *stage.Stage, p *stage.Peer, event federation.Event) federation.Answer {
	ctx, cancel := p.Within()
	defer cancel()
	answer, err := p.SendTransaction(ctx, s.ServerName(1), []federation.Event{event}, nil)
	s.C.Need("resilience/stays-up", err)
	return answer.Answer
}

// Where a user of another server is kept out of such a room, it does not come in by claiming to be of the creator's (MSC4014,
// Proposal 4.1: a mapping cannot be spoofed). The controls are the same event in a room that federates, and an honest one in
// the room that does not: where that is let in, the server does not apply the rule, and there is nothing to defeat.
func init() {
	for _, claim := range unfederatedClaims {
		for _, event := range strangersEvents {
			check.Register(check.Check{
				Name:     fmt.Sprintf("a %s with %s, by %s", event.membership, claim.name, event.path),
				Requires: []string{"auth/federate-false-not-defeated"},
				Path:     event.path,
				Body: func(c *check.C) {
					s := stage.Open(c, blueprints.OneServer)
					alice, stranger := s.User("alice"), s.Peer()
					u := unfederated{Stage: s, alice: alice, stranger: stranger, membership: event.membership}
					u.member = stranger.User("member")
					u.shared = stranger.Joins(alice.Makes(stage.Public), u.member)
					rule := stage.InitialState("m.room.join_rules", "", map[string]any{"join_rule": event.joinRule})
					open := alice.Makes(stage.Private, rule)
					closed := alice.Makes(stage.Private, rule, stage.Option{Name: "creation_content", Value: map[string]any{"m.federate": false}})

					delivers := func(roomID, name string, alter stage.Altering) federation.Event {
						if event.membership == "leave" {
							u.invites(roomID, name, roomID == closed)
						}
						made := u.makes(roomID, name, alter)
						answer := event.push(s, stranger, made)
						c.Notef("the server answered the %s of %s with %s", event.membership, name, delivery.Short(answer))
						return made
					}
					honest := func(template federation.Template) federation.Template { return template }
					c.Control(u.shows(open, delivers(open, "guest", honest)))
					if u.shows(closed, delivers(closed, "foreigner", honest)) == nil {
						c.Unsupported("a room with m.federate false lets users of other servers in: the rule is not applied")
					}
					c.UnderTest()
					lie := delivers(closed, "liar", func(template federation.Template) federation.Template {
						return claim.alter(template, "@liar:"+s.ServerName(1))
					})
					u.settles(closed)
					alice.Refused(closed, lie)
				},
			})
		}
	}
}

// unfederated is a room of Alice, to which a stranger sends member events without having asked for a template: that might be
// refused already.
type unfederated struct {
	*stage.Stage
	alice      *stage.User
	stranger   *stage.Peer
	shared     *stage.Room // another room, of both: its events give the form
	member     *federation.User
	membership string
}

// makes makes a member event of a user of the stranger at the end of a room, whose events it knows by Alice.
func (u unfederated) makes(roomID, name string, alter stage.Altering) federation.Event {
	c, user := u.C, u.stranger.User(name)
	last := u.alice.Says(roomID, "said before "+name+" comes")
	state, err := u.alice.State(c.Context(), roomID)
	c.Need("client-view/unmodified-client", err)
	auth := []string{}
	for _, event := range state.JSON().Array() {
		switch event.Get("type").String() {
		case "m.room.create", "m.room.power_levels":
			auth = append(auth, event.Get("event_id").String())
		case "m.room.join_rules":
			if u.membership != "leave" {
				auth = append(auth, event.Get("event_id").String())
			}
		case "m.room.member":
			if u.membership == "leave" && event.Get("state_key").String() == user.ID() {
				auth = append(auth, event.Get("event_id").String())
			}
		}
	}
	key := pseudoid.GenerateKeyPair()
	if u.membership == "leave" {
		key = user.KeyIn(roomID) // the one that was invited
	}
	template := u.shared.MemberTemplate(user, u.membership).WithKey(key).WithMappingOf(user)
	return u.shared.Made(alter(template).Alter(federation.SetField("room_id", roomID)).
		Alter(federation.SetField("prev_events", []string{last})).
		Alter(federation.SetField("auth_events", auth)).
		Alter(federation.SetField("depth", 30)))
}

// invites lets Alice invite a user of the stranger. To a room that does not federate a server need not.
func (u unfederated) invites(roomID, name string, closed bool) {
	user := u.stranger.User(name)
	err := u.alice.Invite(u.C.Context(), roomID, user.ID())
	if refusal, refused := csapi.Refused(err); closed && refused && refusal.Status/100 == 4 {
		u.C.Unsupported("nobody can invite users of other servers to a room with m.federate false: %v", err)
	}
	u.C.Need("membership/invite-remote", err)
	u.alice.Blaming("membership/invite-remote").AwaitsMembership(roomID, user.ID(), "invite")
}

// settles waits until Alice is shown new messages, the stranger's in the other room and her own in this one: the server has processed
// what the stranger sent before.
func (u unfederated) settles(roomID string) {
	barrier := u.shared.Says(u.member, "said after the event for the other room")
	u.alice.Blaming("membership/remote-joins-us").AwaitsEvent(u.shared.ID(), barrier.ID())
	u.alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, u.alice.Says(roomID, "said after that"))
}

// shows returns an error if an event is in no client view.
func (u unfederated) shows(roomID string, event federation.Event) error {
	u.settles(roomID)
	if u.alice.SomeView(roomID, func(view stage.View) bool { return view.Has(event.ID()) }) {
		return nil
	}
	return errors.New("clients are not shown the " + u.membership + " of a user of another server")
}
