package fault

// Faults of chapter invite: how servers make an invite together.

const (
	// InviteNamesUser is where a partial invite is sent (rooms.inviteByPartial).
	InviteNamesUser ID = "invite-names-user"
	// InviterJoinLeftOut is where the state that goes along with an invite is chosen (pseudonym.InviteState).
	InviterJoinLeftOut ID = "inviter-join-left-out"
	// CompletionUnchecked is where a completed invite comes back (pseudonym.CheckCompleted), where
	// the inviter signs it (pseudonym.SignAsInviter), and where it is taken (rooms.invitePseudonymous).
	CompletionUnchecked ID = "completion-unchecked"
	// InviterDoesNotSign is where the inviter signs a completed invite (pseudonym.SignAsInviter).
	InviterDoesNotSign ID = "inviter-does-not-sign"
	// InviteSignedByServer is where a partial invite is completed (pseudonym.CompleteInvite).
	InviteSignedByServer ID = "invite-signed-by-server"
	// InviteOriginUnchecked is where a partial invite comes in (pseudonym.CheckInviteOrigin).
	InviteOriginUnchecked ID = "invite-origin-unchecked"
	// InviteShownByKey is where stripped state is shown to clients (pseudonym.StrippedState).
	InviteShownByKey ID = "invite-shown-by-key"
)

var inviteFaults = []Fault{
	{
		ID: InviteNamesUser, Does: "sends invites with the invited user's ID as the state key, as in ordinary rooms",
		Breaks:       "MSC1228, Sending invites: the inviting server builds a partial event, and the invited one adds the state key",
		Requirements: []string{"invite/partial-event-sent"},
	},
	{
		ID: InviterJoinLeftOut, Does: "sends state along with invites that does not have the inviter's join",
		Breaks:       "MSC1228, Sending invites: some state about the room comes along, with the inviting user's join event",
		Requirements: []string{"invite/inviter-join-included"},
	},
	{
		ID: CompletionUnchecked, Does: "signs whatever event the invited server gives back, and takes it for the invite",
		Breaks:       "MSC1228, Sending invites: the invited server adds three things, and the rest is what the inviter wrote",
		Requirements: []string{"invite/tampered-completion-refused"},
	},
	{
		ID: InviterDoesNotSign, Does: "sends the others an invite with the invited user's signature alone",
		Breaks:       "MSC1228, Sending invites: the inviting server adds its signature; MSC4014, Proposal 2",
		Requirements: []string{"invite/signed-by-inviter", "signing/every-event-type"},
	},
	{
		ID: InviteSignedByServer, Does: "signs the invites that it completes with the server's key and not with the invited user's",
		Breaks:       "MSC1228, Sending invites, and Proposal: the key signs in the place of the server",
		Requirements: []string{"invite/completed-by-invited-server", "invite/shown-by-user-id"},
	},
	{
		ID: InviteOriginUnchecked, Does: "takes an invite from any server that brings the inviter's join along",
		Breaks:       "MSC1228, Sending invites: the invited server checks that the request came from the server of the inviting user",
		Requirements: []string{"invite/origin-checked"},
	},
	{
		ID: InviteShownByKey, Does: "shows invites to clients by key",
		Breaks:       "MSC4014, Changes from MSC1228 5: sender is a user ID to clients, in every event",
		Requirements: []string{"invite/shown-by-user-id", "client-view/sender-is-user-id"},
	},
}
