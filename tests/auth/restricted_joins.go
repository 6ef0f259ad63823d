package auth

// Chapter auth, restricted rooms, the honest half: who lets somebody in is named by key, and signs with that key (MSC4014,
// Additional notes). The liar's half is in auth_lies.go.

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

// restrictedRoom is a room of alice's that members of her other room, the hub, may enter; a witness is in it.
type restrictedRoom struct {
	stage.Residence
	hub string
}

// openRestrictedRoom makes hub and room, which is restricted when the witness is in it.
func openRestrictedRoom(c *check.C) restrictedRoom {
	opened := restrictedRoom{Residence: stage.OpenResident(c)}
	opened.hub = opened.Alice.Makes(stage.Public)
	opened.Alice.Sets(opened.Room.ID(), "m.room.join_rules", "", map[string]any{
		"join_rule": "restricted", "allow": []any{map[string]string{"type": "m.room_membership", "room_id": opened.hub}},
	})
	opened.Room.Blaming("routing/reaches-members").Awaits(func(event federation.Event) error {
		if event.IsState("m.room.join_rules", "") {
			return nil
		}
		return errors.New("another event")
	})
	return opened
}

// signedBy tells why an event is not signed by a sender key, or nil. Under which entity and key ID the signature stands is
// open (event-format/signature-entity).
func signedBy(event federation.Event, senderKey string) error {
	key, err := pseudoid.ParseSenderKey(senderKey)
	if err != nil {
		return err
	}
	signatures := event.Get("signatures")
	for entity, ofEntity := range signatures.Map() {
		for keyID := range ofEntity.Map() {
			if pseudoid.VerifyEventSignature(event.JSON(), event.Format(), entity, keyID, key) == nil {
				return nil
			}
		}
	}
	return fmt.Errorf("none of the signatures is a valid one by %s: %s", senderKey, signatures.Raw)
}

// authorisedJoin is a join into a restricted room that the server authorised.
type authorisedJoin struct {
	named     gjson.Result // who lets the joiner in, as it was first said
	alicesKey string       // the key of the one member of the server who can
	joins     map[string]federation.Event
}

// authorisations are the ways in which the server authorises a join: of its own user, and of one of a peer, who asked by make_join
// and send_join.
var authorisations = map[string]func(c *check.C) authorisedJoin{
	"client": func(c *check.C) authorisedJoin {
		gate := openRestrictedRoom(c)
		bob, alicesKey := gate.User("bob"), gate.Room.Blaming("mapping/in-creator-join").MemberOf(gate.Alice.UserID).Sender()
		bob.Joins(gate.hub)
		_, err := bob.JoinRoom(c.Context(), gate.Room.ID())
		c.Need("membership/restricted-join", err)
		join := gate.Room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(gate.Room, alicesKey, "join"))
		joins := map[string]federation.Event{"the join as peers are sent it": join}
		return authorisedJoin{join.Get("content." + authoriserField), alicesKey, joins}
	},
	"send_join": func(c *check.C) authorisedJoin {
		gate := openRestrictedRoom(c)
		alicesKey := gate.Room.Blaming("mapping/in-creator-join").MemberOf(gate.Alice.UserID).Sender()
		peer := gate.Peer()
		carol := peer.User("carol")
		peer.Joins(gate.hub, carol)
		ctx, cancel := peer.Within()
		defer cancel()
		asked, err := peer.MakeJoin(ctx, gate.ServerName(1), gate.Room.ID(), carol.ID())
		if err == nil && !asked.OK() {
			err = errors.New("make_join for a member of the room that the join rule allows was answered " + asked.String())
		}
		c.Need("membership/restricted-join", err)
		vouched := authorisedJoin{named: asked.Get("event.content." + authoriserField), alicesKey: alicesKey}
		if vouched.named.String() != alicesKey {
			return vouched
		}
		room := peer.Joins(gate.Room.ID(), carol)
		returned, known := room.StateEvent("m.room.member", carol.SenderIn(room.Room))
		require.True(c, known, "the peer knows its own join")
		vouched.joins = map[string]federation.Event{
			"the join as the answer to send_join has it": returned,
			"the join as other peers are sent it":        gate.Room.Blaming("routing/reaches-members").AwaitsEvent(returned.ID()),
		}
		return vouched
	},
}

func init() {
	for path, vouch := range authorisations {
		check.Register(check.Check{
			Name:     "a restricted join is authorised by a sender key, by " + path,
			Requires: []string{"auth/restricted-authoriser-is-key"},
			Path:     path,
			Body: func(c *check.C) {
				vouched := vouch(c)
				assert.Equal(c, vouched.alicesKey, vouched.named.String(), authoriserField+", against the key of who can let others in")
			},
		})
		check.Register(check.Check{
			Name:     "a restricted join is signed by who authorised it, by " + path,
			Requires: []string{"auth/restricted-signed-by-authoriser"},
			Path:     path,
			Body: func(c *check.C) {
				vouched := vouch(c)
				if named := vouched.named.String(); named != vouched.alicesKey {
					c.Blocked("auth/restricted-authoriser-is-key", "the join is authorised by %q, not by who can let others in", named)
				}
				for what, join := range vouched.joins {
					assert.NoError(c, signedBy(join, vouched.alicesKey), what)
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
		p := delivery.Open(stage.Open(c, blueprints.OneServer))
		elsewhere := map[string]string{"type": "m.room_membership", "room_id": "!elsewhere:" + p.Origin.Name()}
		p.Room = p.Origin.Makes(federation.RoomOptions{Creator: p.Carol, JoinRule: "restricted", JoinRuleAllow: []any{elsewhere}})
		_, err := p.Alice.JoinRoom(c.Context(), p.Room.ID(), p.Origin.Name())
		c.Need("membership/restricted-join", err)
		join := p.Room.Blaming("membership/restricted-join").AwaitsMember(p.Alice.UserID, "join")
		carolsKey := p.Carol.SenderIn(p.Room.Room)
		assert.Equal(c, carolsKey, join.Get("content."+authoriserField).String(), "who lets alice in, by the join that the server sent")
		p.Room.Blaming("membership/restricted-join").ExchangesMessages(p.Alice, p.Carol)

		opens(p)
		later := p.Peer()
		served, known := later.Joins(p.Room.ID(), later.User("witness")).StateEvent("m.room.member", join.Sender())
		require.True(c, known, "a server that joins later is served alice's join")
		assert.NoError(c, signedBy(served, carolsKey), "alice's join as a later joiner is served it")
	},
})
