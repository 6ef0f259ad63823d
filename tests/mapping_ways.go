package main

// The ways by which a server meets member events of others, for joins and what they claim: those that carry any event
// (event_ways.go), and those that only member events take.

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// passage is one way by which a join of a user of mallory reaches the server. When deliver returns, the server has dealt
// with it.
type passage struct {
	name   string
	enters bool // alice enters the room with the join in it
	gap    bool // the server misses something before it; each join has a room of its own, as other events have (eventWay)
	// others: the user is known to the server otherwise, too, so that only claims of another user ID can be told.
	others bool
	// only is the requirement whose lie alone is told, where servers die of whatever is; "": all are.
	only string
	// deadly: deployed servers die of the honest join, too.
	deadly  bool
	deliver func(p players, user *federation.User, join federation.Event) reception
}

// theInvite is the way of an invite that mallory completes.
const theInvite = "the completed invite"

// reception is what became of a join that was told.
type reception struct {
	answer  string // the server's, or what became of alice's entering the room
	outside bool   // alice's server did not enter the room
	// shows is an event of the user that clients are shown if the join is believed; none: that is the join.
	shows federation.Event
}

var passages = append(usualPassages(), []passage{
	{
		// The user set a note and left: the join is among what authorises the state.
		name: "the auth chain of send_join", enters: true,
		deliver: func(p players, user *federation.User, join federation.Event) reception {
			p.room.Apply(join)
			note := p.room.Applies(p.note(user, "left behind"))
			leaves(p.room, user, join)
			without(p.mallory, federation.Backfill)
			answer, outside := p.enters()
			return reception{answer, outside, note}
		},
	},
	{
		// The user came, said something and left: what was said comes when a client looks back, and the join with it.
		name: "backfill", enters: true,
		deliver: func(p players, user *federation.User, join federation.Event) reception {
			p.room.Apply(join)
			said := p.room.Applies(p.message(user, "said long ago"))
			leaves(p.room, user, join)
			before := len(p.mallory.Requests())
			answer, outside := p.enters()
			if !outside {
				p.alice.Views(p.room.ID())
				p.asked(before, federation.Backfill)
			}
			return reception{answer, outside, said}
		},
	},
	{
		// The user is a member by one join, and then says something that stands on another, which the server does not have.
		name: "event_auth", others: true, gap: true,
		deliver: func(p players, user *federation.User, join federation.Event) reception {
			known := p.room.Made(p.room.MemberTemplate(user, "join").WithContent("displayname", "known before"))
			p.room.Delivers(known)
			p.alice.Blaming("membership/remote-joins-us").AwaitsMembership(p.room.ID(), user.ID(), "join")
			said := p.message(user, "said as another").Alter(func(event []byte) ([]byte, error) {
				var authorised []string
				for _, id := range gjson.GetBytes(event, "auth_events").Array() {
					if id.String() == known.ID() {
						id.Str = join.ID()
					}
					authorised = append(authorised, id.Str)
				}
				return sjson.SetBytes(event, "auth_events", authorised)
			})
			after := p.room.Made(said)
			barrier := p.room.Made(p.message(p.carol, "said beside it"))
			chain := append(p.room.AuthChain(join.AuthEvents()...), join)
			for _, id := range join.AuthEvents() {
				if event, ok := p.room.Event(id); ok && !slices.ContainsFunc(chain, func(e federation.Event) bool { return e.ID() == id }) {
					chain = append(chain, event)
				}
			}
			p.mallory.Handle(federation.GetEventAuth, func(*federation.Request, func() federation.Answer) federation.Answer {
				return federation.JSON(http.StatusOK, map[string]any{"auth_chain": chain})
			})
			p.mallory.Handle(federation.GetEvent, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
				if request.Parameters[0] != join.ID() {
					return honest()
				}
				return federation.JSON(http.StatusOK, map[string]any{
					"origin": p.mallory.Name(), "origin_server_ts": 0, "pdus": []federation.Event{join},
				})
			})
			before := len(p.mallory.Requests())
			answer, err := p.room.Pushes(after)
			p.C.Need("resilience/stays-up", err)
			p.room.Delivers(barrier)
			p.alice.Blaming(p.demand()).AwaitsEvent(p.room.ID(), barrier.ID())
			p.asked(before, federation.GetEventAuth, federation.GetEvent)
			return reception{answer.Answer.String(), false, after}
		},
	},
	{
		// Alice invites the user: mallory completes the invite with the mapping that the join would have.
		name: theInvite, others: true,
		deliver: func(p players, user *federation.User, join federation.Event) reception {
			mapping, _ := pseudoid.MappingOf(join.JSON())
			p.mallory.Handle(federation.Invite, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
				answer := honest()
				event, err := complete([]byte(answer.Get("event").Raw), user.KeyIn(p.room.ID()), mapping, join.Format())
				if err != nil || !answer.OK() {
					return answer
				}
				return answer.Set("event", federation.NewEvent(event, join.Format()))
			})
			err := p.alice.Invite(p.C.Context(), p.room.ID(), user.ID())
			p.barrier()
			return reception{answer: fmt.Sprintf("%v for the invite of its own user", orOK(err))}
		},
	},
}...)

// usualPassages are the ways that carry any event, joins among them.
func usualPassages() []passage {
	var usual []passage
	for _, way := range eventWays {
		if slices.Contains(way.kinds, aJoin) {
			added := passage{
				name: way.name, enters: way.enters, gap: way.gap,
				deliver: func(p players, _ *federation.User, join federation.Event) reception {
					answer, outside := way.deliver(p, join)
					return reception{answer: answer, outside: outside}
				},
			}
			if way.name == "state" {
				added.deadly, added.only = true, "mapping/foreign-signature-not-honoured"
			}
			usual = append(usual, added)
		}
	}
	return usual
}

// complete puts another mapping into a completed invite; nil takes the one that is there away.
func complete(invite []byte, key pseudoid.KeyPair, mapping []byte, format pseudoid.Format) ([]byte, error) {
	var err error
	for _, field := range []string{"hashes", "signatures", "content." + pseudoid.MappingField} {
		if invite, err = sjson.DeleteBytes(invite, field); err != nil {
			return nil, err
		}
	}
	if mapping != nil {
		if invite, err = sjson.SetRawBytes(invite, "content."+pseudoid.MappingField, mapping); err != nil {
			return nil, err
		}
	}
	return pseudoid.SignEvent(invite, format, string(key.Public), federation.SenderKeyID, key.Private)
}

func orOK(err error) string {
	if err == nil {
		return "200"
	}
	return err.Error()
}

// without lets a peer have nothing to answer at an endpoint that gives events.
func without(peer *stage.Peer, endpoint federation.Endpoint) {
	peer.Handle(endpoint, func(*federation.Request, func() federation.Answer) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"origin": peer.Name(), "origin_server_ts": 0, "pdus": []any{}})
	})
}

// asked ends the check unless the server asked mallory at one of the endpoints, after so many earlier requests: it met the
// event nowhere.
func (p players) asked(earlier int, endpoints ...federation.Endpoint) {
	if !slices.ContainsFunc(p.mallory.Requests()[earlier:], func(request federation.Request) bool {
		return slices.Contains(endpoints, request.Endpoint)
	}) {
		p.C.Inconclusive("the server never asked for what it misses: none of %v reached %s", endpoints, p.mallory.Name())
	}
}

// message is a text message of a member.
func (p players) message(by *federation.User, body string) federation.Template {
	return p.template(federation.Proto{Type: "m.room.message", Sender: by, Content: text(body)})
}

// note is state that every member may write.
func (p players) note(by *federation.User, body string) federation.Template {
	return p.template(federation.Proto{
		Type: noteType, Sender: by, StateKey: federation.StateKey(by.ID()[1:]), Content: map[string]string{"note": body},
	})
}

// leaves applies the leave of a user to a room. It says of the user what the join said: deployed servers do not enter a room
// in whose state a member event is without a mapping.
func leaves(room *stage.Room, user *federation.User, join federation.Event) {
	leave := room.MemberTemplate(user, "leave")
	if mapping, carried := pseudoid.MappingOf(join.JSON()); carried {
		leave = leave.WithMapping(mapping)
	}
	room.Applies(leave)
}

// template makes a template at the room's end; one that cannot be made is the suite's fault.
func (p players) template(proto federation.Proto) federation.Template {
	template, err := p.room.Template(proto)
	if err != nil {
		p.C.SuiteError(err)
	}
	return template
}
