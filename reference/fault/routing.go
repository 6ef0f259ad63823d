package fault

// Faults of chapters redaction and routing: what redaction takes away, and where events go.

const (
	// MemberRedactionIgnored is where redacted events are shown to clients (pseudonym.RedactForClients).
	MemberRedactionIgnored ID = "member-redaction-ignored"
	// RedactionTakesMapping is where a redaction takes effect (rooms.redactBy).
	RedactionTakesMapping ID = "redaction-takes-mapping"
	// RedactedWithoutSender is where redacted events are shown to peers (pseudonym.RedactForPeers).
	RedactedWithoutSender ID = "redacted-without-sender"
	// RoutingWithoutRedacted is where the servers in a room are told (rooms.serversNow).
	RoutingWithoutRedacted ID = "routing-without-redacted"
	// RedactedWithoutPower is where the rules are asked about an event (rooms.authorised).
	RedactedWithoutPower ID = "redacted-without-power"
	// RemoteRedactionsIgnored is where a redaction takes effect (rooms.redactBy).
	RemoteRedactionsIgnored ID = "remote-redactions-ignored"
	// OwnRedactionNeedsPower is where it is decided who may redact (pseudonym.MayRedact).
	OwnRedactionNeedsPower ID = "own-redaction-needs-power"
	// RedactionWithoutPower is where it is decided who may redact (pseudonym.MayRedact).
	RedactionWithoutPower ID = "redaction-without-power"
	// DevicesOfRedactedUntold is where clients are told whose devices changed (clientapi.deviceLists).
	DevicesOfRedactedUntold ID = "devices-of-redacted-untold"
)

var redactionFaults = []Fault{
	{
		ID: MemberRedactionIgnored, Does: "shows clients redacted member events as they were, so that the mapping stays",
		Breaks:       "MSC4014, Addressing 3: a malicious display name or avatar is what such a redaction is for",
		Requirements: []string{"redaction/displayname-goes", "redaction/by-remote"},
	},
	{
		ID: RedactionTakesMapping, Does: "forgets whom a key stands for when its member event is redacted",
		Breaks: "MSC4014, Addressing 3: redacting a member event should not remove the mapping",
		Requirements: []string{
			"redaction/mapping-stays", "redaction/routing-stays", "redaction/by-remote", "redaction/client-redact-never-purges",
			"redaction/e2ee-stays", "redaction/membership-stays",
		},
	},
	{
		ID: RedactedWithoutSender, Does: "serves peers redacted events without the sender key that their IDs and signatures cover",
		Breaks:       "MSC4014, Addressing 3: the redaction algorithm stays the same for signatures and hashes",
		Requirements: []string{"redaction/algorithm-unchanged"},
	},
	{
		ID: RoutingWithoutRedacted, Does: "does not count members whose member event was redacted among those that events are sent to",
		Breaks:       "MSC4014, Addressing 3: altering routing is what /redact must not do",
		Requirements: []string{"redaction/routing-stays", "redaction/by-remote", "redaction/client-redact-never-purges"},
	},
	{
		ID: RedactedWithoutPower, Does: "looks for a member's power by the user ID in its member event, and finds none in a redacted one",
		Breaks:       "MSC4014, Addressing 3: redacting a member event is for malicious names, and leaves who the member is",
		Requirements: []string{"redaction/membership-stays", "redaction/by-remote"},
	},
	{
		ID: RemoteRedactionsIgnored, Does: "lets redactions by users of its own take effect, and those by others not",
		Breaks:       "room version 3, handling redactions: who may redact is told by power and sender, wherever that is",
		Requirements: []string{"redaction/by-remote", "redaction/own-by-key"},
	},
	{
		ID: OwnRedactionNeedsPower, Does: "asks for the power to redact also of who redacts its own event",
		Breaks:       "MSC1228, Other things: own redactions are told by comparing the keys of the message and the redaction",
		Requirements: []string{"redaction/own-by-key"},
	},
	{
		ID: RedactionWithoutPower, Does: "lets every redaction take effect",
		Breaks:       "room version 3, handling redactions: others' events are redacted by who has the power to",
		Requirements: []string{"redaction/others-by-power"},
	},
	{
		ID: DevicesOfRedactedUntold, Does: "does not tell clients of changed devices of members whose member event was redacted",
		Breaks:       "MSC4014, discussion: end-to-end encryption is what taking a mapping away would break, and /redact does not",
		Requirements: []string{"redaction/e2ee-stays"},
	},
}

const (
	// FirstDestinationOnly is where the destinations of an event are told (pseudonym.Destinations).
	FirstDestinationOnly ID = "first-destination-only"
	// FormerMembersToo is where the destinations of an event are told (pseudonym.Destinations).
	FormerMembersToo ID = "former-members-too"
	// EDUsUnsent is where users tell other servers something that is no event (users.send).
	EDUsUnsent ID = "edus-unsent"
	// FormerMembersHear is where it is told who must hear of what is no event (rooms.Audience).
	FormerMembersHear ID = "former-members-hear"
	// PendingMappingsRouted is where the destinations of an event are told (pseudonym.Destinations).
	PendingMappingsRouted ID = "pending-mappings-routed"
	// RoutedByFirstMapping is where the servers in a room are told (rooms.routed).
	RoutedByFirstMapping ID = "routed-by-first-mapping"
	// HistoryForAnybody is where it is told whether a server has, or had, a member in a room (rooms.wasIn, rooms.hasMember).
	HistoryForAnybody ID = "history-for-anybody"
	// RemoteInvitesUnsent is where users are invited (rooms.Invite).
	RemoteInvitesUnsent ID = "remote-invites-unsent"
	// ACLUnchecked is where access control lists are read (rooms.aclAllows).
	ACLUnchecked ID = "acl-unchecked"
	// ACLByMapping is where an event of another server is received (rooms.Receive).
	ACLByMapping ID = "acl-by-mapping"
	// GapsLeft is where the events before one that came are asked for (rooms.fillGap).
	GapsLeft ID = "gaps-left"
	// HistoryOfRoomIDAlone is where other servers are asked for history (rooms.Backfill).
	HistoryOfRoomIDAlone ID = "history-of-room-id-alone"
)

var routingFaults = []Fault{
	{
		ID: FirstDestinationOnly, Does: "sends an event to one other server in the room",
		Breaks:       "MSC1228, Handling the mxid mapping: outgoing messages go to the servers behind the mappings",
		Requirements: []string{"routing/reaches-members"},
	},
	{
		ID: FormerMembersToo, Does: "sends events to every server that ever had a member in the room",
		Breaks:       "MSC1228, Handling the mxid mapping: outgoing messages go to the servers that are in the room",
		Requirements: []string{"routing/stops-on-leave", "routing/stops-on-kick", "routing/stops-on-ban", "routing/after-restart"},
	},
	{
		ID: EDUsUnsent, Does: "tells other servers events alone",
		Breaks:       "hard requirement 1: receipts, typing, presence and messages to devices arrive as ever",
		Requirements: []string{"routing/edus", "routing/after-restart"},
	},
	{
		ID: FormerMembersHear, Does: "tells servers that ever had a member in a room what its users read and type, and when they are there",
		Breaks:       "MSC1228, Handling the mxid mapping: what goes out goes to the servers that are in the room",
		Requirements: []string{"routing/edus"},
	},
	{
		ID: PendingMappingsRouted, Does: "sends events also where mappings point that are not verified yet",
		Breaks:       "MSC1228, Handling the mxid mapping: which servers to send to is a reason to know whether a mapping is valid",
		Requirements: []string{"routing/only-verified"},
	},
	{
		ID: RoutedByFirstMapping, Does: "sends events where the first verified mapping of a key points, for ever",
		Breaks:       "MSC1228, Implementation: only the most recent mapping of a key is honoured",
		Requirements: []string{"routing/follows-new-mapping"},
	},
	{
		ID: HistoryForAnybody, Does: "gives events and state to every server that asks",
		Breaks:       "MSC1228, Handling the mxid mapping: mappings authorise other servers to do backfill requests",
		Requirements: []string{"routing/backfill-authorised"},
	},
	{
		ID: RemoteInvitesUnsent, Does: "says yes to an invite of another server's user, and tells that server nothing",
		Breaks:       "MSC1228, Sending invites: the partial invite is sent to the invited user's server",
		Requirements: []string{"routing/invite-reaches-server"},
	},
	{
		ID: ACLUnchecked, Does: "takes no notice of access control lists",
		Breaks:       "server-server API, server access control lists: requests of a denied server are refused",
		Requirements: []string{"routing/server-acl"},
	},
	{
		ID: ACLByMapping, Does: "takes events by where the sender's mapping points, whichever server brings them",
		Breaks:       "server-server API, server access control lists: it is the origin of the request that is denied",
		Requirements: []string{"routing/server-acl"},
	},
	{
		ID: GapsLeft, Does: "takes an event without asking for those before it",
		Breaks:       "hard requirement 1; server-server API, get_missing_events: a room's history has no holes",
		Requirements: []string{"routing/missing-events"},
	},
	{
		ID: HistoryOfRoomIDAlone, Does: "asks the server that is named in the room ID for history, and no other",
		Breaks:       "MSC1228, Handling the mxid mapping: the servers in a room are those behind the mappings",
		Requirements: []string{"routing/missing-events"},
	},
}
