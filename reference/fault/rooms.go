package fault

// Faults of chapter membership: what happens in rooms.

const (
	// LocalJoinNeedsKey is where a user of its own joins a room that the server is in (rooms.joinHere).
	LocalJoinNeedsKey ID = "local-join-needs-key"
	// StateMappingsUnread is where the state of a room that the server enters is read (rooms.readOutliers).
	StateMappingsUnread ID = "state-mappings-unread"
	// AliasesNotFollowed is where a client joins (clientapi).
	AliasesNotFollowed ID = "aliases-not-followed"
	// KeysNotAskedFor is where a mapping is judged (pseudonym.keyLookup).
	KeysNotAskedFor ID = "keys-not-asked-for"
	// LeftMayWrite is in the rules (rules.Allowed, rule 5).
	LeftMayWrite ID = "left-may-write"
	// LeavesNeedMapping is where the fate of a member event is decided (pseudonym.Handle).
	LeavesNeedMapping ID = "leaves-need-mapping"
	// SendLeaveRefused is where the leave that a server brings is taken (rooms.SendLeave).
	SendLeaveRefused ID = "send-leave-refused"
	// PartingLeaveUnsent is where events leave for other servers (rooms.send).
	PartingLeaveUnsent ID = "parting-leave-unsent"
)

var membershipFaults = []Fault{
	{
		ID: LocalJoinNeedsKey, Does: "lets nobody join a room of its own who has no key in it yet",
		Breaks:       "MSC4014, hard requirement 1: clients work without any changes, and joining is what it is in any room",
		Requirements: []string{"membership/join-local", "membership/join-by-alias", "room-version/upgrade-into"},
	},
	{
		ID: StateMappingsUnread, Does: "reads no mappings in the state of a room that it joins through another server",
		Breaks: "MSC4014, Changes 5: clients are sent the sender's user ID",
		Requirements: []string{
			"membership/join-remote", "membership/join-by-alias", "membership/leave-remote",
			"routing/reaches-members", "unverified/every-path", "invite/shown-by-user-id",
		},
	},
	{
		ID: AliasesNotFollowed, Does: "takes room IDs alone for joining",
		Breaks:       "client-server API, POST /join/{roomIdOrAlias}: an alias leads into its room",
		Requirements: []string{"membership/join-by-alias"},
	},
	{
		ID: KeysNotAskedFor, Does: "asks no server for the keys that verify mappings",
		Breaks: "MSC4014, Proposal 4.2: to verify the signature, server keys are needed",
		Requirements: []string{
			"membership/remote-joins-us", "membership/join-remote", "membership/join-by-alias", "membership/leave-remote",
			"routing/reaches-members",
		},
	},
	{
		ID: LeftMayWrite, Does: "lets users write into rooms that they have left",
		Breaks:       "authorisation rules, 5: the sender is joined",
		Requirements: []string{"membership/leave"},
	},
	{
		ID: LeavesNeedMapping, Does: "refuses leaves of other servers' members that carry no mapping",
		Breaks:       "MSC1228, Proposal: it is invite and join events that include the mapping",
		Requirements: []string{"membership/leave-remote"},
	},
	{
		ID: SendLeaveRefused, Does: "answers every send_leave with 403 and does not take the leave",
		Breaks:       "server-server API, send_leave; MSC4014, Proposal 2: the sender key's signature is enough",
		Requirements: []string{"membership/leave-remote"},
	},
	{
		ID: PartingLeaveUnsent, Does: "sends nothing to a room that its last member has just left, not even the leave",
		Breaks:       "server-server API, leaving rooms: the others are told",
		Requirements: []string{"membership/leave-remote"},
	},
}
