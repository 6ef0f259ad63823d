package delivery

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

// JoinPath is one way by which a join of a user of mallory reaches the server. When deliver returns, the server has dealt
// with it.
type JoinPath struct {
	Name   string
	Enters bool // alice enters the room with the join in it
	Gap    bool // the server misses something before it; each join has a room of its own, as other events have (eventWay)
	// others: the user is known to the server otherwise, too, so that only claims of another user ID can be told.
	Others bool
	// only is the requirement whose lie alone is told, where servers die of whatever is; "": all are.
	Only string
	// deadly: deployed servers die of the honest join, too.
	Deadly  bool
	Deliver func(p Scene, user *federation.User, join federation.Event) Reception
}

// TheInvite is the way of an invite that mallory completes.
const TheInvite = "the completed invite"

// Reception is what became of a join that was told.
type Reception struct {
	Answer  string // the server's, or what became of alice's entering the room
	Outside bool   // alice's server did not enter the room
	// shows is an event of the user that clients are shown if the join is believed; none: that is the join.
	Shows federation.Event
}

var JoinPaths = append(usualPassages(), []JoinPath{
	{
		// The user set a note and left: the join is among what authorises the state.
		Name: "the auth chain of send_join", Enters: true,
		Deliver: func(p Scene, user *federation.User, join federation.Event) Reception {
			p.Room.Apply(join)
			note := p.Room.Applies(p.note(user, "left behind"))
			Leaves(p.Room, user, join)
			without(p.Mallory, federation.Backfill)
			answer, outside := p.Enters()
			return Reception{answer, outside, note}
		},
	},
	{
		// The user came, said something and left: what was said comes when a client looks back, and the join with it.
		Name: "backfill", Enters: true,
		Deliver: func(p Scene, user *federation.User, join federation.Event) Reception {
			p.Room.Apply(join)
			said := p.Room.Applies(p.Message(user, "said long ago"))
			Leaves(p.Room, user, join)
			before := len(p.Mallory.Requests())
			answer, outside := p.Enters()
			if !outside {
				p.Alice.Views(p.Room.ID())
				p.Asked(before, federation.Backfill)
			}
			return Reception{answer, outside, said}
		},
	},
	{
		// The user is a member by one join, and then says something that stands on another, which the server does not have.
		Name: "event_auth", Others: true, Gap: true,
		Deliver: func(p Scene, user *federation.User, join federation.Event) Reception {
			known := p.Room.Made(p.Room.MemberTemplate(user, "join").WithContent("displayname", "known before"))
			p.Room.Delivers(known)
			p.Alice.Blaming("membership/remote-joins-us").AwaitsMembership(p.Room.ID(), user.ID(), "join")
			said := p.Message(user, "said as another").Alter(func(event []byte) ([]byte, error) {
				var authorised []string
				for _, id := range gjson.GetBytes(event, "auth_events").Array() {
					if id.String() == known.ID() {
						id.Str = join.ID()
					}
					authorised = append(authorised, id.Str)
				}
				return sjson.SetBytes(event, "auth_events", authorised)
			})
			after := p.Room.Made(said)
			barrier := p.Room.Made(p.Message(p.Carol, "said beside it"))
			chain := append(p.Room.AuthChain(join.AuthEvents()...), join)
			for _, id := range join.AuthEvents() {
				if event, ok := p.Room.Event(id); ok && !slices.ContainsFunc(chain, func(e federation.Event) bool { return e.ID() == id }) {
					chain = append(chain, event)
				}
			}
			p.Mallory.Handle(federation.GetEventAuth, func(*federation.Request, func() federation.Answer) federation.Answer {
				return federation.JSON(http.StatusOK, map[string]any{"auth_chain": chain})
			})
			p.Mallory.Handle(federation.GetEvent, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
				if request.Parameters[0] != join.ID() {
					return honest()
				}
				return federation.JSON(http.StatusOK, map[string]any{
					"origin": p.Mallory.Name(), "origin_server_ts": 0, "pdus": []federation.Event{join},
				})
			})
			before := len(p.Mallory.Requests())
			answer, err := p.Room.Pushes(after)
			p.C.Need("resilience/stays-up", err)
			p.Room.Delivers(barrier)
			p.Alice.Blaming(p.demand()).AwaitsEvent(p.Room.ID(), barrier.ID())
			p.Asked(before, federation.GetEventAuth, federation.GetEvent)
			return Reception{answer.Answer.String(), false, after}
		},
	},
	{
		// Alice invites the user: mallory completes the invite with the mapping that the join would have.
		Name: TheInvite, Others: true,
		Deliver: func(p Scene, user *federation.User, join federation.Event) Reception {
			mapping, _ := pseudoid.MappingOf(join.JSON())
			p.Mallory.Handle(federation.Invite, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
				answer := honest()
				event, err := complete([]byte(answer.Get("event").Raw), user.KeyIn(p.Room.ID()), mapping, join.Format())
				if err != nil || !answer.OK() {
					return answer
				}
				return answer.Set("event", federation.NewEvent(event, join.Format()))
			})
			err := p.Alice.Invite(p.C.Context(), p.Room.ID(), user.ID())
			p.Barrier()
			return Reception{Answer: fmt.Sprintf("%v for the invite of its own user", orOK(err))}
		},
	},
}...)

// usualPassages are the ways that carry any event, joins among them.
func usualPassages() []JoinPath {
	var usual []JoinPath
	for _, way := range Paths {
		if slices.Contains(way.kinds, Join) {
			added := JoinPath{
				Name: way.Name, Enters: way.Enters, Gap: way.gap,
				Deliver: func(p Scene, _ *federation.User, join federation.Event) Reception {
					answer, outside := way.Deliver(p, join)
					return Reception{Answer: answer, Outside: outside}
				},
			}
			if way.Name == "state" {
				added.Deadly, added.Only = true, "mapping/foreign-signature-not-honoured"
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

// Asked ends the check unless the server asked mallory at one of the endpoints, after so many earlier requests: it met the
// event nowhere.
func (p Scene) Asked(earlier int, endpoints ...federation.Endpoint) {
	if !slices.ContainsFunc(p.Mallory.Requests()[earlier:], func(request federation.Request) bool {
		return slices.Contains(endpoints, request.Endpoint)
	}) {
		p.C.Inconclusive("the server never asked for what it misses: none of %v reached %s", endpoints, p.Mallory.Name())
	}
}

// Message is a text message of a member.
func (p Scene) Message(by *federation.User, body string) federation.Template {
	return p.Template(federation.Proto{Type: "m.room.message", Sender: by, Content: Text(body)})
}

// note is state that every member may write.
func (p Scene) note(by *federation.User, body string) federation.Template {
	return p.Template(federation.Proto{
		Type: MemberStateType, Sender: by, StateKey: federation.StateKey(by.ID()[1:]), Content: map[string]string{"note": body},
	})
}

// Leaves applies the leave of a user to a room. It says of the user what the join said: deployed servers do not enter a room
// in whose state a member event is without a mapping.
func Leaves(room *stage.Room, user *federation.User, join federation.Event) {
	leave := room.MemberTemplate(user, "leave")
	if mapping, carried := pseudoid.MappingOf(join.JSON()); carried {
		leave = leave.WithMapping(mapping)
	}
	room.Applies(leave)
}

// Template makes a template at the room's end; one that cannot be made is the suite's fault.
func (p Scene) Template(proto federation.Proto) federation.Template {
	template, err := p.Room.Template(proto)
	if err != nil {
		p.C.SuiteError(err)
	}
	return template
}
