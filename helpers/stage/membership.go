package stage

// Membership changes of other users, and profile changes.

import (
	"context"
	"strings"

	"msc4014/helpers/csapi"
)

// Invites invites a user by user ID.
func (u *User) Invites(roomID, userID string) {
	u.need(u.Invite(u.stage.C.Context(), roomID, userID))
}

// Invite shadows that of csapi: where the server puts invites to a path at which peers do not complete them, which is open (invite/endpoint), it
// ends the check as unsupported before a user of a peer is invited.
func (u *User) Invite(ctx context.Context, roomID, userID string) error {
	if !u.stage.isOfServers(userID) {
		u.stage.TakesInvites()
	}
	return u.Client.Invite(ctx, roomID, userID)
}

// TakesInvites ends the check as unsupported if peers do not complete invites at the path to which the server puts them.
func (s *Stage) TakesInvites() {
	if elsewhere := s.world.InvitesElsewhere(); elsewhere != "" {
		s.C.Unsupported("the server invites users of other servers by %s, where a peer does not complete the invite (invite/endpoint)", elsewhere)
	}
}

// isOfServers reports whether a user ID is of a server under test.
func (s *Stage) isOfServers(userID string) bool {
	_, server, _ := strings.Cut(userID, ":")
	return server == s.ServerName(1) || s.C.Check().TwoServers && server == s.ServerName(2)
}

// Kicks kicks a member by user ID.
func (u *User) Kicks(roomID, userID string) {
	u.stage.C.Need("membership/kick", u.Kick(u.stage.C.Context(), roomID, userID, ""))
}

// Bans bans a user by user ID.
func (u *User) Bans(roomID, userID string) {
	u.stage.C.Need("membership/ban", u.Ban(u.stage.C.Context(), roomID, userID, ""))
}

// Unbans lifts the ban of a user by user ID.
func (u *User) Unbans(roomID, userID string) {
	u.stage.C.Need("membership/unban", u.Unban(u.stage.C.Context(), roomID, userID))
}

// Knocks knocks on a room, through the servers via if given.
func (u *User) Knocks(roomID string, via ...string) {
	_, err := u.Knock(u.stage.C.Context(), roomID, "", via...)
	u.stage.NeedKnock(err)
}

// NeedKnock blocks the check by membership/knock if a request to knock failed, or ends it as unsupported if users cannot knock on ordinary
// rooms either.
func (s *Stage) NeedKnock(err error) {
	if err != nil {
		s.TakesKnocks()
	}
	s.C.Need("membership/knock", err)
}

// TakesKnocks ends the check as unsupported unless users can knock on ordinary rooms of the server: hard requirement 1 asks for what
// clients have there.
func (s *Stage) TakesKnocks() {
	knocked := s.User("ordinary-host").MakesOrdinary(InitialState("m.room.join_rules", "", map[string]any{"join_rule": "knock"}))
	_, err := s.User("ordinary-guest").Knock(s.C.Context(), knocked, "")
	if csapi.NoAnswer(err) {
		s.C.Need("resilience/stays-up", err)
	}
	if err != nil {
		s.C.Unsupported("users cannot knock on ordinary rooms of the server either: %v", err)
	}
}

// SetsDisplayName changes the user's display name.
func (u *User) SetsDisplayName(name string) {
	u.setsProfile("display name", func(user *User) error { return user.SetDisplayName(u.stage.C.Context(), name) })
}

// SetsAvatar changes the user's avatar to an mxc: URI.
func (u *User) SetsAvatar(uri string) {
	u.setsProfile("avatar", func(user *User) error { return user.SetAvatar(u.stage.C.Context(), uri) })
}

func (u *User) setsProfile(what string, sets func(*User) error) {
	if err := sets(u); err != nil {
		u.stage.SetsProfiles(u.place, what, sets)
		u.stage.C.Need("membership/profile-propagates", err)
	}
}

// SetsProfiles ends the check as unsupported if a user of a server, counted from 1, who is in an ordinary room alone cannot set a part of its
// profile either.
func (s *Stage) SetsProfiles(place int, what string, sets func(*User) error) {
	user := s.UserAt(place, "ordinary")
	user.MakesOrdinary(Public)
	err := sets(user)
	if csapi.NoAnswer(err) {
		s.C.Need("resilience/stays-up", err)
	}
	if err != nil {
		s.C.Unsupported("users of ordinary rooms cannot set their %s either: %v", what, err)
	}
}
