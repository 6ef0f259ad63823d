package fault

// Faults of chapters room-version and event-format: what rooms and events look like.

const (
	// VersionNotAdvertised is in the answer to GET /capabilities (clientapi).
	VersionNotAdvertised ID = "version-not-advertised"
	// CreateNamesNoVersion is where a room is made (rooms.Create).
	CreateNamesNoVersion ID = "create-names-no-version"
	// UnknownVersionTaken is where a room is made (rooms.Create).
	UnknownVersionTaken ID = "unknown-version-taken"
	// MakeJoinNamesNoVersion is where templates of member events are made (rooms.MakeMember).
	MakeJoinNamesNoVersion ID = "make-join-names-no-version"
	// MakeJoinIgnoresVersions is where templates of member events are made (rooms.MakeMember).
	MakeJoinIgnoresVersions ID = "make-join-ignores-versions"
	// UpgradeWithoutTombstone is where a room is upgraded (rooms.Upgrade).
	UpgradeWithoutTombstone ID = "upgrade-without-tombstone"
	// UpgradeWithoutPredecessor is where a room is upgraded (rooms.Upgrade).
	UpgradeWithoutPredecessor ID = "upgrade-without-predecessor"
	// UpgradeForgetsPower is where a room is upgraded (rooms.Upgrade).
	UpgradeForgetsPower ID = "upgrade-forgets-power"
	// MappingInOrdinaryRooms is where member events of own users are drafted (rooms.memberDraft).
	MappingInOrdinaryRooms ID = "mapping-in-ordinary-rooms"
	// KeyInOrdinaryViews is where events are shown to clients (rooms.clientEvent).
	KeyInOrdinaryViews ID = "key-in-ordinary-views"
)

var versionFaults = []Fault{
	{
		ID: VersionNotAdvertised, Does: "has the room version and leaves it out of its capabilities",
		Breaks:       "client-server API, capabilities negotiation: m.room_versions lists the versions that the server supports",
		Requirements: []string{"room-version/advertised"},
	},
	{
		ID: CreateNamesNoVersion, Does: "writes create events that do not name the room's version",
		Breaks:       "MSC4014, Proposal: it creates a new room version; createRoom: the room has the version that was asked for",
		Requirements: []string{"room-version/created", "room-version/upgrade-into", "room-version/upgrade-out-of"},
	},
	{
		ID: UnknownVersionTaken, Does: "makes a room of its default version when it is asked for one that it does not know",
		Breaks:       "client-server API, createRoom: an unsupported version is refused with M_UNSUPPORTED_ROOM_VERSION",
		Requirements: []string{"room-version/unknown-refused"},
	},
	{
		ID: MakeJoinNamesNoVersion, Does: "answers make_join without the room's version",
		Breaks:       "server-server API, make_join: room_version of the answer names it",
		Requirements: []string{"room-version/make-join-names-it", "membership/join-remote"},
	},
	{
		ID: MakeJoinIgnoresVersions, Does: "gives a template to servers that do not list the room's version",
		Breaks:       "server-server API, make_join: a server that does not support the version gets M_INCOMPATIBLE_ROOM_VERSION",
		Requirements: []string{"room-version/make-join-refuses-others"},
	},
	{
		ID: UpgradeWithoutTombstone, Does: "makes the new room of an upgrade and leaves the old one without a tombstone",
		Breaks:       "client-server API, room upgrades: the server sends m.room.tombstone to the old room",
		Requirements: []string{"room-version/upgrade-into", "room-version/upgrade-out-of"},
	},
	{
		ID: UpgradeWithoutPredecessor, Does: "makes the new room of an upgrade without naming the one before it",
		Breaks:       "client-server API, room upgrades: the new create event has the predecessor",
		Requirements: []string{"room-version/upgrade-into", "room-version/upgrade-out-of"},
	},
	{
		ID: UpgradeForgetsPower, Does: "gives the new room of an upgrade the power levels of a fresh one",
		Breaks:       "client-server API, room upgrades: power levels are transferred to the new room",
		Requirements: []string{"room-version/upgrade-keeps-power"},
	},
	{
		ID: MappingInOrdinaryRooms, Does: "writes mxid_mapping into member events of rooms of every version",
		Breaks:       "MSC4014, Proposal: it creates a new room version in which changes are made, and none is made in others",
		Requirements: []string{"room-version/ordinary-rooms-untouched"},
	},
	{
		ID: KeyInOrdinaryViews, Does: "shows clients a sender_key in events of rooms of every version",
		Breaks:       "MSC4014, Proposal: it creates a new room version in which changes are made, and none is made in others",
		Requirements: []string{"room-version/ordinary-rooms-untouched"},
	},
}

const (
	// DeployedSpelling is where the server is put together (homeserver.New).
	DeployedSpelling ID = "deployed-spelling"
	// PaddedKeyInRedactions is where events leave for other servers (rooms.sent).
	PaddedKeyInRedactions ID = "padded-key-in-redactions"
	// ProfileChangeByUserID is where events leave for other servers (rooms.sent).
	ProfileChangeByUserID ID = "profile-change-by-user-id"
	// PowerByUserID is where power levels of a client are spelled for the wire (pseudonym.wireUsers), and where the rules
	// say who may hold power (rules.mayHoldPower).
	PowerByUserID ID = "power-by-user-id"
	// CreatorByUserID is where a create event is spelled for the wire (pseudonym.wireCreator).
	CreatorByUserID ID = "creator-by-user-id"
	// UserMappingToo is where member events get their mapping (pseudonym.MemberContent).
	UserMappingToo ID = "user-mapping-too"
	// ContentHashOfRedacted is where events are signed (pseudonym.Sign).
	ContentHashOfRedacted ID = "content-hash-of-redacted"
	// EventIDsOfVersion1 is where events are shown to clients (pseudonym.ClientEvent).
	EventIDsOfVersion1 ID = "event-ids-of-version-1"
)

var formatFaults = []Fault{
	{
		ID: DeployedSpelling, Does: "spells the sender and the key of a mapping as deployed servers do",
		Breaks:       "MSC4014, Proposal 1 and 4, Changes 3 and 4: sender_key on events and in the mapping, and no sender",
		Requirements: []string{"event-format/sender-key-field", "event-format/no-sender-field", "mapping/names-key"},
	},
	{
		ID: PaddedKeyInRedactions, Does: "sends redactions with the sender key in padded base64, as many libraries write bytes",
		Breaks:       "MSC4014, Proposal 1: the key is encoded as other binary data of events, which is without padding",
		Requirements: []string{"event-format/key-encoding", "event-format/content-hash", "redaction/by-remote"},
	},
	{
		ID: ProfileChangeByUserID, Does: "sends the join that tells of a new profile with the user ID as its state key",
		Breaks: "MSC1228, Proposal: the key is used where a user ID is today, as the state key of m.room.member",
		Requirements: []string{
			"event-format/member-state-key", "event-format/no-mxid-outside-mapping", "event-format/content-hash",
			"signing/every-event-type", "mapping/in-profile-change",
		},
	},
	{
		ID: PowerByUserID, Does: "leaves the user IDs that a client writes into power levels there, beside the keys",
		Breaks:       "MSC1228, Proposal: users of m.room.power_levels are keys",
		Requirements: []string{"event-format/power-levels-by-key", "event-format/no-mxid-outside-mapping"},
	},
	{
		ID: CreatorByUserID, Does: "names the creator of a room by a user ID in the create event",
		Breaks:       "MSC1228, Proposal: creator is removed; no user ID stands in an event",
		Requirements: []string{"event-format/create-names-no-mxid", "event-format/no-mxid-outside-mapping"},
	},
	{
		ID: UserMappingToo, Does: "writes the user_mapping of MSC1228 beside the mapping",
		Breaks:       "MSC4014, Changes from MSC1228 1: there is no user_mapping field",
		Requirements: []string{"event-format/no-user-mapping", "event-format/no-mxid-outside-mapping"},
	},
	{
		ID: ContentHashOfRedacted, Does: "computes content hashes over the redacted event, like signatures",
		Breaks: "server-server API, calculating the content hash: over the whole event; MSC4014, Addressing 3: hashes stay the same",
		Requirements: []string{
			"event-format/content-hash", "redaction/algorithm-unchanged", "invite/signed-by-inviter",
		},
	},
	{
		ID: EventIDsOfVersion1, Does: "tells clients event IDs of the room's state with its server name behind them, as in room version 1",
		Breaks:       "room version 4, event IDs: the reference hash and nothing else",
		Requirements: []string{"event-format/event-id"},
	},
}
