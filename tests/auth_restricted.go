package main

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
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// authoriserField of a join names who lets the joiner in.
const authoriserField = "join_authorised_via_users_server"

// gate is a room of alice's that members of her other room, the hub, may enter; a witness is in it.
type gate struct {
	stage.Residence
	hub string
}

// openGate makes hub and room, which is restricted when the witness is in it.
func openGate(c *check.C) gate {
	opened := gate{Residence: stage.OpenResident(c)}
	opened.hub = opened.Alice.Makes(stage.Public)
	opened.Alice.Sets(opened.Room.ID(), "m.room.join_rules", "", map[string]any{
		"join_rule": "restricted", "allow": []any{map[string]string{"type": "m.room_membership", "room_id": opened.hub}},
	})
	opened.Room.Awaits("routing/reaches-members", func(event federation.Event) error {
		if event.IsState("m.room.join_rules", "") {
			return nil
		}
		return errors.New("another event")
	})
	return opened
}

// authorisedBy is the key that a join names as who lets the joiner in; a join that names none, or no key, fails the check.
func authorisedBy(c *check.C, what string, field gjson.Result) string {
	if !field.Exists() {
		c.Failf("%s names nobody in %s, though the room is restricted", what, authoriserField)
	}
	_, err := pseudoid.ParseSenderKey(field.String())
	require.NoError(c, err, "%s in %s", authoriserField, what)
	return field.String()
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

// Here a user of the server enters a restricted room of the same server.
var _ = check.Register("a local restricted join is authorised and signed by a sender key",
	check.Requires("auth/restricted-authoriser-is-key", "auth/restricted-signed-by-authoriser"), check.Path("client"),
	func(c *check.C) {
		gate := openGate(c)
		bob, alicesKey := gate.User("bob"), gate.Room.MemberOf("mapping/in-creator-join", gate.Alice.UserID).Sender()
		bob.Joins(gate.hub)
		_, err := bob.JoinRoom(c.Context(), gate.Room.ID())
		c.Need("membership/restricted-join", err)
		join := gate.Room.Awaits("routing/reaches-members", newMember(gate.Room, alicesKey, "join"))
		by := authorisedBy(c, "the join", join.Get("content."+authoriserField))
		assert.Equal(c, alicesKey, by, "who lets bob in: the one member of the server")
		assert.NoError(c, signedBy(join, by), "the join as peers are sent it")
	})

// Here the server lets in a user of a peer, who asked by make_join and send_join.
var _ = check.Register("a restricted join that the server authorises names a sender key and is signed by it",
	check.Requires("auth/restricted-authoriser-is-key", "auth/restricted-signed-by-authoriser"), check.Path("send_join"),
	func(c *check.C) {
		gate := openGate(c)
		alicesKey := gate.Room.MemberOf("mapping/in-creator-join", gate.Alice.UserID).Sender()
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
		by := authorisedBy(c, "the template of make_join", asked.Get("event.content."+authoriserField))
		assert.Equal(c, alicesKey, by, "who lets carol in: the one member of the server")
		room := peer.Joins(gate.Room.ID(), carol)
		returned, known := room.StateEvent("m.room.member", carol.SenderIn(room.Room))
		require.True(c, known, "the peer knows its own join")
		assert.NoError(c, signedBy(returned, by), "the join as the answer to send_join has it")
		assert.NoError(c, signedBy(gate.Room.AwaitsEvent("routing/reaches-members", returned.ID()), by), "the join as other peers are sent it")
	})

// Here a user of the server enters a restricted room of a peer, whose member lets her in: what the server keeps and serves
// has both signatures.
var _ = check.Register("a restricted join that a peer authorises keeps its signature", check.Requires("auth/restricted-signed-by-authoriser"),
	check.Path("make_join"), func(c *check.C) {
		p := players{Stage: stage.Open(c, blueprints.OneServer)}
		p.alice, p.mallory = p.User("alice"), p.Peer()
		p.carol = p.mallory.User("carol")
		elsewhere := map[string]string{"type": "m.room_membership", "room_id": "!elsewhere:" + p.mallory.Name()}
		p.room = p.mallory.Makes(federation.RoomOptions{Creator: p.carol, JoinRule: "restricted", JoinRuleAllow: []any{elsewhere}})
		_, err := p.alice.JoinRoom(c.Context(), p.room.ID(), p.mallory.Name())
		c.Need("membership/restricted-join", err)
		join := p.room.AwaitsMember("membership/restricted-join", p.alice.UserID, "join")
		carolsKey := p.carol.SenderIn(p.room.Room)
		assert.Equal(c, carolsKey, join.Get("content."+authoriserField).String(), "who lets alice in, by the join that the server sent")
		p.room.ExchangesMessages("membership/restricted-join", p.alice, p.carol)

		p.opens()
		later := p.Peer()
		served, known := later.Joins(p.room.ID(), later.User("witness")).StateEvent("m.room.member", join.Sender())
		require.True(c, known, "a server that joins later is served alice's join")
		assert.NoError(c, signedBy(served, carolsKey), "alice's join as a later joiner is served it")
	})
