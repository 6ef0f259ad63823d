package auth

// Restricted rooms: who lets somebody in is named by sender key, and signs the join with that key (MSC4014, Additional notes).

import (
	"errors"
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// authoriserField of a join names who lets the joiner in.
const authoriserField = "join_authorised_via_users_server"

// restrictedRoom is a room of Alice that members of her other room may join; a witness is in it.
type restrictedRoom struct {
	stage.Residence
	allowed string // the ID of the other room
}

// openRestrictedRoom makes both rooms; the one is restricted once the witness is in it.
func openRestrictedRoom(c *check.C) restrictedRoom {
	opened := restrictedRoom{Residence: stage.OpenResident(c)}
	opened.allowed = opened.Alice.Makes(stage.Public)
	opened.Alice.Sets(opened.Room.ID(), "m.room.join_rules", "", map[string]any{
		"join_rule": "restricted", "allow": []any{map[string]string{"type": "m.room_membership", "room_id": opened.allowed}},
	})
	opened.Room.Blaming("routing/reaches-members").Awaits(func(event federation.Event) error {
		if event.IsState("m.room.join_rules", "") {
			return nil
		}
		return errors.New("another event")
	})
	return opened
}

// alicesKey is the key of the one member of the server who can let others in.
func (r restrictedRoom) alicesKey() string {
	return r.Room.Blaming("mapping/in-creator-join").MemberOf(r.Alice.UserID).Sender()
}

// isSignedBy returns an error if an event is not signed by a sender key. Under which entity and key ID the signature stands is
// open (event-format/signature-entity).
func isSignedBy(event federation.Event, senderKey string) error {
	if _, err := pseudoid.VerifySignatureBy(event.JSON(), event.Format(), pseudoid.SenderKey(senderKey)); err != nil {
		return fmt.Errorf("none of the signatures is a valid one by %s: %w: %s", senderKey, err, event.Get("signatures").Raw)
	}
	return nil
}

// authorisedJoin is a join into a restricted room that the server authorised.
type authorisedJoin struct {
	named     gjson.Result // the authoriser, where the server first named it
	alicesKey string
	joins     []servedJoin
}

// servedJoin is a join as the server gave it to a peer.
type servedJoin struct {
	what  string
	event federation.Event
}

// authorisations are the ways in which the server authorises a join.
var authorisations = []struct {
	path       string
	authorises func(c *check.C) authorisedJoin
}{
	{"client", authorisesLocal},
	{"send_join", authorisesRemote},
}

// authorisesLocal lets a user of the server join the restricted room.
func authorisesLocal(c *check.C) authorisedJoin {
	s := openRestrictedRoom(c)
	bob, alicesKey := s.User("bob"), s.alicesKey()
	bob.Joins(s.allowed)
	_, err := bob.JoinRoom(c.Context(), s.Room.ID())
	c.Need("membership/restricted-join", err)
	join := s.Room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(s.Room, alicesKey, "join"))
	return authorisedJoin{join.Get("content." + authoriserField), alicesKey, []servedJoin{{"the join as peers are sent it", join}}}
}

// authorisesRemote lets a user of a peer join the restricted room, by make_join and send_join.
func authorisesRemote(c *check.C) authorisedJoin {
	s := openRestrictedRoom(c)
	alicesKey, peer := s.alicesKey(), s.Peer()
	carol := peer.User("carol")
	peer.Joins(s.allowed, carol)
	ctx, cancel := peer.Within()
	defer cancel()
	template, err := peer.MakeJoin(ctx, s.ServerName(1), s.Room.ID(), carol.ID())
	if err == nil && !template.OK() {
		err = errors.New("make_join for a member of the room that the join rule allows was answered " + template.String())
	}
	c.Need("membership/restricted-join", err)
	authorised := authorisedJoin{named: template.Get("event.content." + authoriserField), alicesKey: alicesKey}
	if authorised.named.String() != alicesKey {
		return authorised
	}
	room := peer.Joins(s.Room.ID(), carol)
	returned, known := room.StateEvent("m.room.member", carol.SenderIn(room.Room))
	require.True(c, known, "the peer knows its own join")
	authorised.joins = []servedJoin{
		{"the join as the answer to send_join has it", returned},
		{"the join as other peers are sent it", s.Room.Blaming("routing/reaches-members").AwaitsEvent(returned.ID())},
	}
	return authorised
}

func init() {
	for _, each := range authorisations {
		check.Register(check.Check{
			Name:     "a restricted join is authorised by a sender key, by " + each.path,
			Requires: []string{"auth/restricted-authoriser-is-key"},
			Path:     each.path,
			Body: func(c *check.C) {
				join := each.authorises(c)
				assert.Equal(c, join.alicesKey, join.named.String(), authoriserField+", against the key of who can let others in")
			},
		})
		check.Register(check.Check{
			Name:     "a restricted join is signed by who authorised it, by " + each.path,
			Requires: []string{"auth/restricted-signed-by-authoriser"},
			Path:     each.path,
			Body: func(c *check.C) {
				authorised := each.authorises(c)
				if named := authorised.named.String(); named != authorised.alicesKey {
					c.Blocked("auth/restricted-authoriser-is-key", "the join is authorised by %q, not by who can let others in", named)
				}
				for _, join := range authorised.joins {
					assert.NoError(c, isSignedBy(join.event, authorised.alicesKey), join.what)
				}
			},
		})
	}
}

// Here a user of the server enters a restricted room of a peer, whose member lets her in: what the server keeps and serves
// has both signatures.
var _ = check.Register(check.Check{
	Name:     "a restricted join that a peer authorises keeps its signature",
	Requires: []string{"auth/restricted-signed-by-authoriser"},
	Path:     "make_join",
	Body: func(c *check.C) {
		s := delivery.Open(stage.Open(c, blueprints.OneServer))
		s.Room = s.Origin.Makes(federation.RoomOptions{Creator: s.Carol, JoinRule: "restricted", JoinRuleAllow: []any{roomElsewhere(s)}})
		_, err := s.Alice.JoinRoom(c.Context(), s.Room.ID(), s.Origin.Name())
		c.Need("membership/restricted-join", err)
		join := s.Room.Blaming("membership/restricted-join").AwaitsMember(s.Alice.UserID, "join")
		carolsKey := s.Carol.SenderIn(s.Room.Room)
		assert.Equal(c, carolsKey, join.Get("content."+authoriserField).String(), "who lets alice in, by the join that the server sent")
		s.Room.Blaming("membership/restricted-join").ExchangesMessages(s.Alice, s.Carol)

		opensToAll(s)
		served, known := delivery.LaterJoiner(s.Stage, s.Room.ID()).StateEvent("m.room.member", join.Sender())
		require.True(c, known, "a server that joins later is served alice's join")
		assert.NoError(c, isSignedBy(served, carolsKey), "alice's join as a later joiner is served it")
	},
})

// join_authorised_via_users_server is a sender key now, and the join must be signed by the same key as this field
// (MSC4014, Additional notes). The control is a join that Carol authorised. None comes by send_join: there the authoriser is a user of the
// server that answers (server-server API, Restricted rooms), and Carol is not, so that it may refuse them all.
func init() {
	byCarol := func(s delivery.Scene, honest delivery.Honestly) federation.Template {
		return authorised(honest(nil), s.Carol.SenderIn(s.Room.Room))
	}
	keyOf := func(s delivery.Scene, user *federation.User) federation.Signer {
		return s.Room.SignerOf(user.KeyIn(s.Room.ID()))
	}
	restricted := func(requirement, name string, alter delivery.Builder, morePaths ...string) delivery.Forgery {
		return delivery.Forgery{
			Requires: requirement, Name: name, Kinds: []delivery.Kind{delivery.Join},
			Paths: append([]string{"send"}, morePaths...), Deadly: morePaths,
			Prepare: restricts, Undo: opensToAll, Needs: "auth/restricted-authoriser-is-key", Alter: alter,
			Honest: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				return byCarol(s, honest).AlsoSignedBy(keyOf(s, s.Carol))
			},
		}
	}
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that nobody authorised",
			func(_ delivery.Scene, honest delivery.Honestly) federation.Template { return honest(nil) }),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that its authoriser did not sign",
			byCarol, "get_missing_events", "state"),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that another member signed",
			func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				return byCarol(s, honest).AlsoSignedBy(keyOf(s, s.Dan))
			}),
		restricted("auth/restricted-signed-by-authoriser", "a restricted join that the authoriser's server signed",
			func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				return byCarol(s, honest).AlsoSignedBy(s.Origin.Signer())
			}),
		restricted("auth/restricted-authoriser-is-key", "a restricted join that is authorised by a user ID",
			func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				return authorised(honest(nil), s.Carol.ID()).AlsoSignedBy(keyOf(s, s.Carol), s.Origin.Signer())
			}),
		restricted("auth/restricted-authoriser-is-key", "a restricted join that is authorised by a key of nobody in the room",
			func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				nobody := pseudoid.GenerateKeyPair()
				return authorised(honest(nil), string(nobody.Public)).AlsoSignedBy(s.Room.SignerOf(nobody))
			}),
	})
}

// Who lets others in is joined and may invite (authorisation rules, m.room.member, 4.3.5.2).
func init() {
	authoriser := func(s delivery.Scene) *federation.User { return s.Origin.User("authoriser") }
	for _, each := range []struct {
		name    string
		becomes func(s delivery.Scene)
	}{
		{"a member who may not invite", func(delivery.Scene) {}},
		{"a member who has left", func(s delivery.Scene) { s.Room.Leaves(authoriser(s)) }},
		{"a member who was banned", func(s delivery.Scene) {
			s.Room.Delivers(s.Room.Builds(membershipOf(s, s.Carol, authoriser(s), "ban")))
		}},
	} {
		delivery.Register(blueprints.OneServer, []delivery.Forgery{{
			Requires: "auth/restricted-authoriser-is-key", Name: "a restricted join that is authorised by " + each.name,
			Kinds: []delivery.Kind{delivery.Join}, Paths: []string{"send"}, Needs: "auth/restricted-authoriser-is-key",
			Prepare: func(s delivery.Scene) {
				s.Room.JoinsByEvent(authoriser(s))
				each.becomes(s)
				s.Room.Delivers(s.Room.Builds(membershipLevels(s)))
				restricts(s)
			},
			Undo: opensToAll,
			Honest: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				return authorised(honest(nil), s.Carol.SenderIn(s.Room.Room)).AlsoSignedBy(s.Room.SignerOf(s.Carol.KeyIn(s.Room.ID())))
			},
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				by := authoriser(s)
				return authorised(honest(nil), by.SenderIn(s.Room.Room)).AlsoSignedBy(s.Room.SignerOf(by.KeyIn(s.Room.ID())))
			},
		}})
	}
}

// authorised names the authoriser of a join, whose member event is among its auth events then.
func authorised(join federation.Template, by string) federation.Template {
	return join.Naming(authoriserField, by)
}

// roomElsewhere is the condition of a restricted room that its joiners are members of a room which nobody is in.
func roomElsewhere(s delivery.Scene) map[string]string {
	return map[string]string{"type": "m.room_membership", "room_id": "!elsewhere:" + s.Origin.Name()}
}

// restricts makes the room one that only members of another room may enter, or whom a member lets in.
func restricts(s delivery.Scene) {
	setsJoinRules(s, map[string]any{"join_rule": "restricted", "allow": []any{roomElsewhere(s)}})
}

// opensToAll lets everybody into the room again.
func opensToAll(s delivery.Scene) { setsJoinRules(s, map[string]any{"join_rule": "public"}) }

func setsJoinRules(s delivery.Scene, content map[string]any) {
	s.Room.Delivers(s.Room.Builds(federation.Proto{
		Type: "m.room.join_rules", StateKey: federation.StateKey(""), Sender: s.Carol, Content: content,
	}))
	s.Barrier()
}
