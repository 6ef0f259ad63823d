package membership

// Restricted rooms: the members of another room may join, and nobody else.

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// restrictedMeeting is a room that the members of another room of Alice may join.
type restrictedMeeting struct {
	meeting
	allowed *stage.Room
}

// openRestricted makes both rooms.
func openRestricted(c *check.C) restrictedMeeting {
	r := restrictedMeeting{meeting: openMeeting(c)}
	r.allowed = r.peer.Joins(r.alice.Makes(stage.Public), r.carol)
	r.joinRule("restricted", map[string]string{"type": "m.room_membership", "room_id": r.allowed.ID()})
	return r
}

// allowedParty is a user who is in the other room.
func (r restrictedMeeting) allowedParty(name string, isRemote bool) party {
	user, joins := r.party(name, isRemote), "membership/join-local"
	if isRemote {
		r.peer.Joins(r.allowed.ID(), user.remote)
		joins = "membership/remote-joins-us"
	} else {
		user.local.Joins(r.allowed.ID())
	}
	r.alice.Blaming(joins).AwaitsMembership(r.allowed.ID(), user.id, "join")
	return user
}

// Members of the room that the join rule names join by themselves (client-server API, Restricted rooms), by their client, or by
// make_join and send_join. Who is not a member of it does not, nor who was one; who is invited need not be.
func init() {
	for _, each := range []struct {
		what, path string
		isRemote   bool
	}{{"a local user", "client", false}, {"a user of a peer", "send_join", true}} {
		check.Register(check.Check{
			Name:     each.what + " joins a restricted room",
			Requires: []string{"membership/restricted-join"},
			Path:     each.path,
			Body: func(c *check.C) {
				r := openRestricted(c)
				user := r.allowedParty("bob", each.isRemote)
				c.Must(r.admits(user))
				if user.remote != nil {
					r.room.ExchangesMessages(r.alice, user.remote)
				} else {
					r.room.AwaitsMember(user.id, "join")
					r.room.ExchangesMessages(user.local, r.carol)
				}
			},
		})
		for _, other := range []struct {
			name string
			is   func(r restrictedMeeting, isRemote bool) party
		}{
			{"who is not in the allowed room", func(r restrictedMeeting, isRemote bool) party { return r.party("dora", isRemote) }},
			{"who has left the allowed room", func(r restrictedMeeting, isRemote bool) party {
				user, leaves := r.allowedParty("dora", isRemote), "membership/leave"
				if isRemote {
					r.allowed.Leaves(user.remote)
					leaves = "membership/leave-remote"
				} else {
					user.local.Leaves(r.allowed.ID())
				}
				r.alice.Blaming(leaves).AwaitsMembership(r.allowed.ID(), user.id, "leave")
				return user
			}},
		} {
			check.Register(check.Check{
				Name:     each.what + " " + other.name + " does not join a restricted one",
				Requires: []string{"membership/restricted-join"},
				Path:     each.path + ", refused",
				Body: func(c *check.C) {
					r := openRestricted(c)
					c.Control(r.admits(r.allowedParty("bob", each.isRemote)))
					user := other.is(r, each.isRemote)
					c.UnderTest()
					r.keepsOut(user, "")
				},
			})
		}
		check.Register(check.Check{
			Name:     each.what + " who is invited joins a restricted room",
			Requires: []string{"membership/restricted-join"},
			Path:     each.path + ", invited",
			Body: func(c *check.C) {
				r := openRestricted(c)
				user := r.party("bob", each.isRemote)
				invites := "membership/invite-local"
				if each.isRemote {
					invites = "membership/invite-remote"
				}
				r.alice.Blaming(invites).Invites(r.room.ID(), user.id)
				r.alice.Blaming(invites).AwaitsMembership(r.room.ID(), user.id, "invite")
				c.Must(r.admits(user))
			},
		})
	}
}

// A user of the server joins a restricted room of a peer, one of whose users lets it in by its key (MSC4014, Additional notes).
var _ = check.Register(check.Check{
	Name:     "a user joins a restricted room of a peer",
	Requires: []string{"membership/restricted-join"},
	Path:     "make_join",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		carol := resident.User("carol")
		allowed := resident.Makes(federation.RoomOptions{Creator: carol})
		alice.Joins(allowed.ID(), resident.Name())
		allowed.Blaming("membership/join-remote").AwaitsMember(alice.UserID, "join")
		room := resident.Makes(federation.RoomOptions{
			Creator: carol, JoinRule: "restricted",
			JoinRuleAllow: []any{map[string]string{"type": "m.room_membership", "room_id": allowed.ID()}},
		})
		_, err := alice.JoinRoom(c.Context(), room.ID(), resident.Name())
		c.Must(err)
		room.AwaitsMember(alice.UserID, "join")
		room.ExchangesMessages(alice, carol)
	},
})

// Between two servers under test: the one that is in the restricted room lets in a user of the other.
var _ = check.Register(check.Check{
	Name:       "a user joins a restricted room of another server",
	Requires:   []string{"membership/restricted-join"},
	TwoServers: true,
	Body: func(c *check.C) {
		s := stage.OpenSharedRoom(c)
		s.Alice.Blaming("membership/join-remote").AwaitsMembership(s.RoomID, s.Bob.UserID, "join")
		roomID := s.Alice.Makes(stage.InitialState("m.room.join_rules", "", map[string]any{
			"join_rule": "restricted", "allow": []any{map[string]string{"type": "m.room_membership", "room_id": s.RoomID}},
		}))
		_, err := s.Bob.JoinRoom(c.Context(), roomID, s.ServerName(1))
		c.Must(err)
		s.Alice.AwaitsMembership(roomID, s.Bob.UserID, "join")
		seeAndHearEachOther(roomID, s.Alice, s.Bob)
	},
})
