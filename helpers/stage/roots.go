package stage

import "msc4014/helpers/check"

// The requirements that steps of checks may blame. A step that fails before the action under test is a finding against the one that it
// names (check.C.Blocked), so each is one that a server can fail, and has checks of its own or gets them with its chapter.
func init() {
	check.Blames(
		"auth/restricted-authoriser-is-key",
		"client-view/device-lists",
		"client-view/directory",
		"client-view/power-levels-read",
		"client-view/power-levels-write",
		"client-view/receipts-typing-presence",
		"client-view/sender-is-user-id",
		"client-view/state-by-user-id",
		"client-view/unmodified-client",
		"event-format/event-id",
		"mapping/in-creator-join",
		"mapping/in-local-join",
		"mapping/in-remote-join",
		"mapping/latest-wins",
		"mapping/signed-by-users-server",
		"membership/accept-invite",
		"membership/ban",
		"membership/invite-from-remote",
		"membership/invite-local",
		"membership/invite-remote",
		"membership/join-local",
		"membership/join-remote",
		"membership/kick",
		"membership/knock", "membership/reject-invite",
		"membership/leave",
		"membership/leave-remote",
		"membership/profile-propagates",
		"membership/remote-joins-us",
		"membership/restricted-join",
		"membership/unban",
		"redaction/mapping-stays",
		"redaction/membership-stays",
		"redaction/others-by-power",
		"redaction/own-by-key",
		"resilience/restart",
		"resilience/stays-up",
		"room-version/created",
		OrdinaryRooms,
		"room-version/upgrade-into",
		"routing/backfill-authorised",
		"routing/edus",
		"routing/reaches-members",
		"unverified/event-accepted",
		"unverified/placeholder",
	)
}
