package stage

// Membership changes of other users, and profile changes.

import (
	"msc4014/helpers/csapi"
)

// Invites invites a user by user ID.
func (u *User) Invites(roomID, userID string) {
	u.need(u.Invite(u.stage.C.Context(), roomID, userID))
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
	u.stage.C.Need("membership/profile-propagates", u.SetDisplayName(u.stage.C.Context(), name))
}

// SetsAvatar changes the user's avatar to an mxc: URI.
func (u *User) SetsAvatar(uri string) {
	u.stage.C.Need("membership/profile-propagates", u.SetAvatar(u.stage.C.Context(), uri))
}
