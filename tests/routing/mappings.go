package routing

// Events go where verified mappings point: not where an unproven one does, and where a newer one does from then on (MSC1228,
// Handling the mxid mapping).

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// falseClaim is a way to claim a user of another server without that server's signature.
type falseClaim struct {
	name  string
	alter func(honest federation.Template, claimed string) federation.Template
}

var falseClaims = []falseClaim{
	{"a mapping that only the liar's server signed", func(honest federation.Template, claimed string) federation.Template {
		return honest.Claiming(claimed)
	}},
	{"a mapping that nobody signed", func(honest federation.Template, claimed string) federation.Template {
		return honest.Claiming(claimed).MappingSignedBy()
	}},
}

// wayIn is a way by which a peer's join comes to the server under test, in a room that alice ends up in. It returns the room
// as the peer knows it.
type wayIn struct {
	name     string
	delivers func(s *stage.Stage, alice *stage.User, liars *stage.Peer, alter stage.Altering) *stage.Room
}

// byJoining lets the liar join a room of alice's.
func byJoining(
	joins func(*stage.Room, *federation.User, stage.Altering) (federation.Event, string, error),
) func(*stage.Stage, *stage.User, *stage.Peer, stage.Altering) *stage.Room {
	return func(s *stage.Stage, alice *stage.User, liars *stage.Peer, alter stage.Altering) *stage.Room {
		room := liars.Joins(alice.Makes(stage.Public), liars.User("carol"))
		_, answer, err := joins(room, liars.User("liar"), alter)
		s.C.Need("resilience/stays-up", err)
		s.C.Notef("the server answered the join with %s", answer)
		return room
	}
}

var waysIn = []wayIn{
	{"send_join", byJoining((*stage.Room).SendsJoin)},
	{"send", byJoining((*stage.Room).PushesJoin)},
	{"state of a joined room", func(s *stage.Stage, alice *stage.User, liars *stage.Peer, alter stage.Altering) *stage.Room {
		room := liars.Makes(federation.RoomOptions{Creator: liars.User("carol")})
		join, err := alter(room.MemberTemplate(liars.User("liar"), "join")).Build()
		if err != nil {
			s.C.SuiteError(err)
		}
		room.Apply(join)
		alice.Joins(room.ID(), liars.Name())
		return room
	}},
}

func init() {
	for _, claim := range falseClaims {
		for _, way := range waysIn {
			check.Register(check.Check{
				Name:     "nothing is sent where " + claim.name + " points, by " + way.name,
				Requires: []string{"routing/only-verified"},
				Path:     way.name,
				Body:     func(c *check.C) { misroute(c, claim, way) },
			})
		}
	}
}

// misroute lets a liar claim a user of a third server, and sees to it that nothing goes there. The control is the same join
// with the liar's own user ID, by the same way: its server is sent what is said.
func misroute(c *check.C, claim falseClaim, way wayIn) {
	s := stage.Open(c, blueprints.OneServer)
	alice, liars, claimed := s.User("alice"), s.Peer(), s.Peer()
	// The claimed server shares another room with alice: what is queued for it arrives before what is said there.
	elsewhere := claimed.Joins(alice.Makes(stage.Public), claimed.User("honest"))
	honest := way.delivers(s, alice, s.Peer(), func(honest federation.Template) federation.Template { return honest })
	c.Control(honest.Receives(alice.Says(honest.ID(), "said to the server of an honest member")))

	room := way.delivers(s, alice, liars, func(honest federation.Template) federation.Template {
		return claim.alter(honest, claimed.User("claimed").ID())
	})
	barrier := room.Says(liars.User("carol"), "said after the lie")
	alice.Blaming("membership/remote-joins-us").AwaitsEvent(room.ID(), barrier.ID())
	room.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(room.ID(), "said to the room"))
	_, err := scenes.Typing.Happens(c.Context(), scenes.Occasion{User: alice, RoomID: room.ID()})
	c.Need("routing/edus", err)
	// Barriers of both kinds: servers keep events and the rest in queues of their own.
	elsewhere.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(elsewhere.ID(), "said to the claimed server"))
	types, err := scenes.Typing.Happens(c.Context(), scenes.Occasion{User: alice, RoomID: elsewhere.ID()})
	c.Need("routing/edus", err)
	c.Need("routing/edus", scenes.Typing.Arrives(claimed, types))
	claimed.OnlyLookedUp(room.ID())
}

// unproven is a join of a user of a peer whose keys cannot be had, brought by another peer: its mapping can be neither
// proven nor disproven. It returns what the server answered.
func unproven(s *stage.Stage, room *stage.Room, server *stage.Peer) (answer string) {
	server.PlayDead(federation.DeadRefusing, federation.ServerKeys, federation.KeyQuery)
	join, err := room.MemberTemplate(server.User("unproven"), "join").Build()
	if err != nil {
		s.C.SuiteError(err)
	}
	pushed, err := room.Pushes(join)
	s.C.Need("resilience/stays-up", err)
	return pushed.Answer.String()
}

// While the keys of a domain cannot be had, a mapping to it proves nothing, and nothing but look-ups goes there. The control
// is the same join of a user whose server's keys can be had.
var _ = check.Register(check.Check{
	Name:     "nothing is sent to the server of an unproven mapping",
	Requires: []string{"routing/only-verified"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, roomID, live, dead := s.Alice, s.Room.ID(), s.Peer(), s.Peer()
		proven, err := s.Room.MemberTemplate(live.User("proven"), "join").Build()
		if err != nil {
			c.SuiteError(err)
		}
		pushes(c, s.Room, proven)
		answer := unproven(s.Stage, s.Room, dead)
		c.Notef("the server answered the join of an unproven member with %s", answer)
		barrier := s.Room.Says(s.Witness.User("witness"), "said after the joins")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(roomID, barrier.ID())
		said := alice.Says(roomID, "said while the mapping is unproven")
		s.Room.Blaming("routing/reaches-members").AwaitsEvent(said)
		c.Control(live.Receives(said))
		_, err = scenes.Typing.Happens(c.Context(), scenes.Occasion{User: alice, RoomID: roomID})
		c.Need("routing/edus", err)
		// The barrier: what is sent to a user of the domain by user ID takes the same way, and needs no keys of it.
		message, err := scenes.ToDevice.Happens(c.Context(), scenes.Occasion{User: alice, Word: "said after all", Remotes: []*federation.User{dead.User("known")}})
		c.Need("routing/edus", err)
		c.Need("routing/edus", scenes.ToDevice.Arrives(dead, message))
		dead.OnlyLookedUp(roomID)
	},
})

// A newer verified mapping of the same key moves the member to another server: events go there from then on, and no more to
// where the member was.
var _ = check.Register(check.Check{
	Name:     "events follow a newer mapping",
	Requires: []string{"routing/follows-new-mapping"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, roomID, before, after := s.Alice, s.Room.ID(), s.Peer(), s.Peer()
		mover := before.User("mover")
		room := before.Joins(roomID, mover)
		elsewhere := before.Joins(alice.Makes(stage.Public), mover)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, mover.ID(), "join")
		c.Control(room.Receives(alice.Says(roomID, "said before the move")))

		moved := after.User("moved")
		join, err := room.MemberTemplate(mover, "join").WithMappingOf(moved).Build()
		if err != nil {
			c.SuiteError(err)
		}
		room.Delivers(join)
		alice.Blaming("mapping/latest-wins").AwaitsMembership(roomID, moved.ID(), "join")
		c.Must(after.Receives(alice.Says(roomID, "said after the move")))
		elsewhere.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(elsewhere.ID(), "said elsewhere after that"))
		room.ReceivedNothingAfter(join)
	},
})

// An invite by user ID reaches that user's server, and no other one (MSC1228, Sending invites).
var _ = check.Register(check.Check{
	Name:     "an invite reaches the invited user's server",
	Requires: []string{"routing/invite-reaches-server"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		invited, other := s.Peer(), s.Peer()
		bob := invited.User("bob")
		other.User("bob") // of the same name, on another server
		c.Must(s.Alice.Invite(c.Context(), s.Room.ID(), bob.ID()))
		ctx, cancel := invited.Within()
		defer cancel()
		_, err := invited.WaitForRequest(ctx, func(request federation.Request) bool {
			return request.Endpoint == federation.Invite && slices.Contains(request.Parameters, bob.ID()) ||
				request.Endpoint == federation.Invite && strings.Contains(string(request.Body), s.Room.ID())
		})
		c.Must(err)
		for _, peer := range []*stage.Peer{other, s.Witness} {
			for _, request := range peer.Requests() {
				if request.Endpoint == federation.Invite {
					c.Errorf("another server than the invited user's was sent the invite: %s", request.String())
				}
			}
		}
	},
})

// Which servers are offered for an alias: those of verified mappings (MSC4014, Addressing the problems 2, has that for
// links), and whether the domain of an unproven one is among them. The directory is asked by a client and by a peer.
var _ = check.Register(check.Check{
	Name:     "which servers are offered for an alias",
	Requires: []string{"routing/alias-servers"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, dead := s.Alice, s.Peer()
		answer := unproven(s.Stage, s.Room, dead)
		barrier := s.Room.Says(s.Witness.User("witness"), "said after the join")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), barrier.ID())
		alias := "#" + strings.TrimPrefix(alice.UserID, "@")
		c.Need("client-view/directory", alice.CreateAlias(c.Context(), alias, s.Room.ID()))
		resolved, err := alice.ResolveAlias(c.Context(), alias)
		c.Need("client-view/directory", err)
		ctx, cancel := s.Witness.Within()
		defer cancel()
		uri := "/_matrix/federation/v1/query/directory?" + url.Values{"room_alias": {alias}}.Encode()
		queried, err := s.Witness.Do(ctx, s.ServerName(1), http.MethodGet, uri, nil)
		c.Need("client-view/directory", err)

		roles := map[string]string{s.ServerName(1): "its own", s.Witness.Name(): "a verified one", dead.Name(): "an unproven one"}
		toClients, toPeers := offered(resolved.Get("servers"), roles), offered(queried.Get("servers"), roles)
		detail := fmt.Sprintf("servers offered to clients: %s, to peers: %s; the join of the unproven member was answered %s", toClients, toPeers, answer)
		readings := map[string]string{
			"its own": "own-only", "a verified one, its own": "verified-only", "a verified one, an unproven one, its own": "unproven-included",
		}
		reading, listed := readings[toClients]
		if !listed || toClients != toPeers {
			reading = "other"
		}
		c.Observe(reading, "%s", detail)
	},
})

// offered tells a list of servers by what they are, ordered.
func offered(servers gjson.Result, roles map[string]string) string {
	var told []string
	for _, server := range servers.Array() {
		role, known := roles[server.String()]
		if !known {
			role = "another one"
		}
		told = append(told, role)
	}
	slices.Sort(told)
	return strings.Join(told, ", ")
}
