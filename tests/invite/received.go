package invite

// Invites of users of the server under test, which completes them.

import (
	"encoding/json"
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// hostRoom is a room of another server, whose host invites users of the server under test.
type hostRoom struct {
	*stage.Stage
	inviting *stage.Peer
	host     *federation.User
	inRoom   bool // the server under test is in every room of the host
	room     *stage.Room
}

// hostRooms are the rooms that users of the server under test are invited to. Deployed servers crash on an invite to a room
// that they are not in.
var hostRooms = []struct {
	name   string
	inRoom bool
}{
	{"a room that the server is in", true},
	{"a room that is new to the server", false},
}

// openHost makes the host's room, which another user of the server under test joins if the server is to know it.
func openHost(c *check.C, inRoom bool) hostRoom {
	s := stage.Open(c, blueprints.OneServer)
	h := hostRoom{Stage: s, inviting: s.Peer(), inRoom: inRoom}
	h.host = h.inviting.User("host")
	h.room = h.makesRoom()
	return h
}

func (h hostRoom) makesRoom() *stage.Room {
	room := h.inviting.Makes(federation.RoomOptions{Creator: h.host, Name: "a room to be invited to"})
	if h.inRoom {
		h.User("resident").Joins(room.ID(), h.inviting.Name())
	}
	return room
}

// invites has the host invite a user of the server under test, by a request from a peer. If that is the host's own server, it also
// delivers the completed invite to the room. It returns an error if the invite was refused, and ends the check if no answer came.
func (h hostRoom) invites(room *stage.Room, by *stage.Peer, invited *stage.User) (federation.Event, error) {
	ctx, cancel := by.Within()
	defer cancel()
	completed, answer, err := room.InviteFrom(ctx, by.Peer, h.ServerName(1), h.host, invited.UserID)
	switch {
	case err != nil:
		h.C.Need("resilience/stays-up", err)
	case !answer.OK():
		return completed, fmt.Errorf("the server answered the invite of %s by %s with %s", invited.UserID, by.Name(), answer)
	case by != h.inviting:
		return completed, nil
	}
	signed, err := room.SignerOf(h.host.KeyIn(room.ID())).Sign(completed.JSON(), completed.Format())
	if err != nil {
		return completed, fmt.Errorf("the completed invite cannot be signed by the inviter: %w", err)
	}
	room.Delivers(federation.NewEvent(signed, completed.Format()))
	return completed, nil
}

// awaitInvite waits until a client is shown an invite, and returns the events that came with it.
func awaitInvite(c *check.C, invited *stage.User, roomID string) ([]gjson.Result, error) {
	ctx, cancel := c.Within(stage.Patience)
	defer cancel()
	var shown []gjson.Result
	_, err := invited.SyncUntil(ctx, "", "", func(answer *csapi.Response) error {
		shown = answer.Get("rooms.invite." + gjson.Escape(roomID) + ".invite_state.events").Array()
		for _, event := range shown {
			if match.Membership(invited.UserID, "invite")(event) == nil {
				return nil
			}
		}
		return fmt.Errorf("%s is not shown as invited to %s by its own user ID; the invite has %d events", invited.UserID, roomID, len(shown))
	})
	return shown, err
}

// invitesAndAwaits has the host invite a user by its own server, and waits until the user's client is shown the invite.
func (h hostRoom) invitesAndAwaits(room *stage.Room, invited *stage.User) error {
	if _, err := h.invites(room, h.inviting, invited); err != nil {
		return err
	}
	_, err := awaitInvite(h.C, invited, room.ID())
	return err
}

func init() {
	for _, each := range hostRooms {
		// The invited server adds the state key, the mapping and its signature (MSC1228, Sending invites).
		check.Register(check.Check{
			Name:     "the invited server completes an invite to " + each.name,
			Requires: []string{"invite/completed-by-invited-server"},
			Path:     "invite",
			Deadly:   !each.inRoom,
			Body: func(c *check.C) {
				h := openHost(c, each.inRoom)
				alice := h.User("alice")
				completed, err := h.invites(h.room, h.inviting, alice)
				c.Need("membership/invite-from-remote", err)
				key, _ := completed.StateKey()
				_, err = pseudoid.ParseSenderKey(key)
				assert.NoError(c, err, "the state key of the completed invite")
				assert.NotEqual(c, completed.Sender(), key, "the state key of the completed invite, against its sender")
				_, err = pseudoid.VerifyInvitedSignature(completed.JSON(), completed.Format())
				assert.NoError(c, err, "the invited key's signature of the completed invite")
				scenes.AssertMaps(c, completed, alice.UserID)
				assert.NoError(c, pseudoid.VerifyMapping(scenes.MappingIn(c, completed), scenes.KeysAskedBy(h.inviting)), "the mapping of the completed invite")
			},
		})

		// The invited client sees user IDs, the inviter's and its own (MSC4014, Changes from MSC1228 5).
		check.Register(check.Check{
			Name:     "an invite to " + each.name + " shows who invites whom",
			Requires: []string{"invite/shown-by-user-id"},
			Path:     "invite",
			Deadly:   !each.inRoom,
			Body: func(c *check.C) {
				h := openHost(c, each.inRoom)
				alice := h.User("alice")
				_, err := h.invites(h.room, h.inviting, alice)
				c.Need("membership/invite-from-remote", err)
				shown, err := awaitInvite(c, alice, h.room.ID())
				c.Must(err)
				assertShowsInvite(c, shown, h.host.ID(), alice.UserID)
			},
		})

		// The invited server checks that the request came from the server of the inviting user (MSC1228, Sending invites).
		check.Register(check.Check{
			Name:     "an invite by another server than the inviter's, to " + each.name,
			Requires: []string{"invite/origin-checked"},
			Path:     "invite",
			Deadly:   !each.inRoom,
			Body: func(c *check.C) {
				h := openHost(c, each.inRoom)
				alice, dora, mallory := h.User("alice"), h.User("dora"), h.Peer()
				c.Control(h.invitesAndAwaits(h.room, alice))

				c.UnderTest()
				completed, answered := h.invites(h.room, mallory, dora)
				c.Notef("the server answered the invite by another server with %v", answered)
				if _, err := pseudoid.VerifyInvitedSignature(completed.JSON(), completed.Format()); answered == nil && err == nil {
					c.Errorf("a server that the inviter is not on was given an invite of %s, signed by the user's key", dora.UserID)
				}
				// The barrier is another invite by the host.
				c.Need("membership/invite-from-remote", h.invitesAndAwaits(h.makesRoom(), dora))
				synced, err := dora.Sync(c.Context(), "", 0, "")
				c.Need("client-view/unmodified-client", err)
				if invite := synced.Get("rooms.invite." + gjson.Escape(h.room.ID())); invite.Exists() {
					c.Errorf("a server that the inviter is not on could invite %s in the name of %s: /sync shows %s",
						dora.UserID, h.host.ID(), invite.Raw)
				}
			},
		})
	}
}

// The invited server is in the room, and so knows whose key the inviter's is: what an invite's unsigned state says of it is nothing to
// go by. (To a server that is new to the room the state says it all: there the texts give it nothing to check it against.)
var _ = check.Register(check.Check{
	Name:     "an invite by another server, with state that maps the inviter's key to a user of its own",
	Requires: []string{"invite/origin-checked"},
	Path:     "invite",
	Body: func(c *check.C) {
		h := openHost(c, true)
		alice, dora, mallory := h.User("alice"), h.User("dora"), h.Peer()
		c.Control(h.invitesAndAwaits(h.room, alice))

		key := h.host.KeyIn(h.room.ID()).Public
		server := mallory.Signer()
		mapping, err := pseudoid.SignMapping(pseudoid.NewMapping(h.Format().Dialect, key, mallory.User("liar").ID()),
			server.Entity, server.KeyID, server.Key)
		if err != nil {
			c.SuiteError(err)
		}
		var state []federation.Event
		for _, event := range h.room.Stripped() {
			if member, _ := event.StateKey(); event.Type() == "m.room.member" && member == string(key) {
				lie, err := federation.SetField("content."+pseudoid.MappingField, json.RawMessage(mapping))(event.JSON())
				if err != nil {
					c.SuiteError(err)
				}
				event = federation.NewEvent(lie, event.Format())
			}
			state = append(state, event)
		}
		c.UnderTest()
		ctx, cancel := mallory.Within()
		defer cancel()
		completed, answer, err := h.room.InviteWithState(ctx, mallory.Peer, h.ServerName(1), h.host, dora.UserID, state)
		c.Need("resilience/stays-up", err)
		c.Notef("the server answered the invite by another server with %s", answer)
		if _, err := pseudoid.VerifyInvitedSignature(completed.JSON(), h.room.Format()); err == nil {
			c.Errorf("a server that the inviter is not on was given an invite of %s, signed by the user's key", dora.UserID)
		}
		c.Need("membership/invite-from-remote", h.invitesAndAwaits(h.makesRoom(), dora)) // the barrier
		synced, err := dora.Sync(c.Context(), "", 0, "")
		c.Need("client-view/unmodified-client", err)
		if invite := synced.Get("rooms.invite." + gjson.Escape(h.room.ID())); invite.Exists() {
			c.Errorf("a server that the inviter is not on could invite %s in the name of %s: /sync shows %s",
				dora.UserID, h.host.ID(), invite.Raw)
		}
	},
})

// And where inviter and invited are on one server (MSC4014, Changes from MSC1228 5).
var _ = check.Register(check.Check{
	Name:     "a local invite shows who invites whom",
	Requires: []string{"invite/shown-by-user-id"},
	Path:     "local",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		roomID := alice.Makes(stage.Private)
		alice.Blaming("membership/invite-local").Invites(roomID, bob.UserID)
		shown, err := awaitInvite(c, bob, roomID)
		c.Must(err)
		assertShowsInvite(c, shown, alice.UserID, bob.UserID)
	},
})

// assertShowsInvite ensures that the stripped state of an invite names users by user ID: all senders, the members of member
// events, and the inviter as the sender of the invite.
func assertShowsInvite(c *check.C, shown []gjson.Result, inviter, invited string) {
	for _, event := range shown {
		eventType, sender := event.Get("type").String(), event.Get("sender").String()
		assert.NoError(c, pseudoid.ValidUserID(sender), "the sender of the %s event that came with an invite", eventType)
		if eventType != "m.room.member" {
			continue
		}
		stateKey := event.Get("state_key").String()
		assert.NoError(c, pseudoid.ValidUserID(stateKey), "the state key of a member event that came with an invite")
		if stateKey == invited {
			assert.Equal(c, inviter, sender, "the sender of the invite")
		}
	}
}
