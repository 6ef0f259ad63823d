package redaction

// What leaving and deactivation do to the mapping, and so to how earlier events show.

import (
	"fmt"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// What deactivating an account does to the mapping: "in order to remove the mxid_mapping field (e.g. for PII removal), the
// account in question should be deactivated".
var _ = check.Register(check.Check{
	Name:     "what deactivation does to the mapping",
	Requires: []string{"redaction/deactivation"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		bob, alice, roomID := s.User("bob"), s.Alice, s.Room.ID()
		bob.Joins(roomID)
		said := bob.Says(roomID, "said before the deactivation")
		alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, said)
		bob.Deactivates()
		// The leave is not looked for by user ID, which may be gone.
		ctx, cancel := c.Within(stage.Patience)
		defer cancel()
		_, err := alice.Timeline(roomID).Wait(ctx, match.All(match.Type("m.room.member"), match.KeyEqual("content.membership", "leave")))
		earlier := alice.Reads(roomID, said).Get("sender").String()
		detail := fmt.Sprintf("an earlier message is shown as by %s", earlier)
		switch {
		case err != nil && earlier == bob.UserID:
			c.Observe("stays-joined", "%s; no leave was seen: %v", detail, err)
		case err == nil && earlier == bob.UserID:
			c.Observe("mapping-stays", "%s", detail)
		case err == nil:
			c.Observe("mapping-removed", "%s", detail)
		default:
			c.Observe("other", "%s; no leave was seen: %v", detail, err)
		}
	},
})

// What leaving does to the mapping, and so to how earlier events show: to a client that was in the room, and to a server that
// joins after the member left and fetches its messages (MSC4014, discussion).
var _ = check.Register(check.Check{
	Name:     "what leaving does to how earlier events show",
	Requires: []string{"redaction/leave-and-mapping"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, gone := s.Alice, s.Witness.User("gone")
		s.Witness.Joins(s.Room.ID(), gone)
		said := s.Room.Says(gone, "said before leaving")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), said.ID())
		s.Room.Leaves(gone)
		barrier := s.Room.Says(s.Witness.User("witness"), "said after the leave")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), barrier.ID())
		present := alice.Reads(s.Room.ID(), said.ID()).Get("sender").String()

		later, err := shownToLaterJoiner(s.Stage, s.Witness, gone)
		detail := fmt.Sprintf("%s is shown as %q to a client that was in the room, and as %q on a server that joins later", gone.ID(), present, later)
		if err != nil {
			detail += fmt.Sprintf(" (%v)", err)
		}
		switch {
		case present == gone.ID() && later == gone.ID():
			c.Observe("user-id-for-all", "%s", detail)
		case present == gone.ID() && err == nil:
			c.Observe("user-id-for-present", "%s", detail)
		case err == nil && later != gone.ID():
			c.Observe("user-id-gone", "%s", detail)
		default:
			c.Observe("other", "%s", detail)
		}
	},
})

// shownToLaterJoiner lets a user of the server under test join a room of a peer after another user has sent a message there and
// left. It returns as whose the message is shown, or an error if it is not.
func shownToLaterJoiner(s *stage.Stage, resident *stage.Peer, gone *federation.User) (sender string, err error) {
	carol, joiner := resident.User("carol"), s.User("joiner")
	room := resident.Makes(federation.RoomOptions{Creator: carol})
	room.Applies(room.MemberTemplate(gone, "join"))
	said := room.AppliesText(gone, "said before leaving")
	room.Applies(room.MemberTemplate(gone, "leave"))
	if _, err := joiner.JoinRoom(s.C.Context(), room.ID(), resident.Name()); err != nil {
		return "", fmt.Errorf("the server cannot join a room that a member has left: %w", err)
	}
	room.Blaming("membership/join-remote").AwaitsMember(joiner.UserID, "join")
	joiner.Blaming("membership/join-remote").AwaitsMembership(room.ID(), joiner.UserID, "join")
	joiner.LetsVerify(room.ID(), carol.ID())
	found, err := joiner.PagesBackTo(room.ID(), said.ID())
	return found.Get("sender").String(), err
}
