package fault

// Faults of chapters sender-key and mapping: which keys users have, and whom a key stands for.

const (
	// OneKeyAUser is where sender keys are kept (rooms.keyStore).
	OneKeyAUser ID = "one-key-a-user"
	// OneKeyARoom is where sender keys are kept (rooms.keyStore).
	OneKeyARoom ID = "one-key-a-room"
	// ServerKeyAsSenderKey is where the first events of a room are written (rooms.begin).
	ServerKeyAsSenderKey ID = "server-key-as-sender-key"
	// NewKeyOnRejoin is where who enters a room gets its key (rooms.newSender).
	NewKeyOnRejoin ID = "new-key-on-rejoin"
	// NewKeyAfterInvite is where who enters a room gets its key (rooms.newSender); the rules then take who joins for
	// invited (rules.joinAllowed).
	NewKeyAfterInvite ID = "new-key-after-invite"
	// NewKeyOnProfileChange is where a new profile is told to a room (rooms.writeProfile).
	NewKeyOnProfileChange ID = "new-key-on-profile-change"
	// KeysNotStored is where sender keys are kept (rooms.keyStore).
	KeysNotStored ID = "keys-not-stored"
	// BansNotChecked is in the rules for joins (rules.joinAllowed).
	BansNotChecked ID = "bans-not-checked"
	// NoSoftFailure is where the fate of an event of another server is decided (rooms.decide).
	NoSoftFailure ID = "no-soft-failure"
)

var senderKeyFaults = []Fault{
	{
		ID: OneKeyAUser, Does: "gives a user the same key in all its rooms",
		Breaks:       "MSC4014, Proposal 3 and 3.1: the key is scoped to a user and a room, so as not to leak who is in which rooms",
		Requirements: []string{"sender-key/differs-between-rooms"},
	},
	{
		ID: OneKeyARoom, Does: "gives all its users in a room one key",
		Breaks: "MSC4014, Proposal 3: the key is of a per-room, per-user identity",
		Requirements: []string{
			"sender-key/differs-between-users", "room-version/upgrade-out-of", "membership/join-local",
			"membership/join-by-alias", "invite/shown-by-user-id",
		},
	},
	{
		ID: ServerKeyAsSenderKey, Does: "uses the server's signing key as the sender key of users who make rooms",
		Breaks:       "MSC4014, Proposal 3: the key is of a per-room, per-user identity",
		Requirements: []string{"sender-key/not-the-server-key", "sender-key/differs-between-rooms"},
	},
	{
		ID: NewKeyOnRejoin, Does: "makes a new key for a user who has left, or was kicked, and comes back",
		Breaks:       "MSC4014, Proposal 3.2: the key should not change for the user, or bans are evaded",
		Requirements: []string{"sender-key/kept-on-rejoin", "sender-key/kept-after-kick"},
	},
	{
		ID: NewKeyAfterInvite, Does: "makes a new key for the join of a user who was invited, and looks for the invite by user ID",
		Breaks:       "MSC1228, Sending invites: the invited server names the key of the user; MSC4014, Proposal 3.2: it should not change",
		Requirements: []string{"sender-key/kept-from-invite-to-join", "sender-key/kept-from-knock-to-join"},
	},
	{
		ID: NewKeyOnProfileChange, Does: "makes a new key for each new display name or avatar",
		Breaks:       "MSC4014, Proposal 3.2: the key should not change for the user",
		Requirements: []string{"sender-key/kept-on-profile-change"},
	},
	{
		ID: KeysNotStored, Does: "keeps sender keys in memory alone",
		Breaks:       "MSC4014, Proposal 3.2: the key should not change for the user",
		Requirements: []string{"sender-key/kept-across-restart"},
	},
	{
		ID: BansNotChecked, Does: "lets a banned key join",
		Breaks:       "authorisation rules, m.room.member 4.3.3: a banned sender cannot join; MSC4014, Proposal 3.2: bans are to hold",
		Requirements: []string{"sender-key/ban-not-evaded"},
	},
	{
		ID: NoSoftFailure, Does: "shows events that the room's present state forbids, if the state before them allows them",
		Breaks:       "server-server API, soft failure: such an event is kept from clients",
		Requirements: []string{"sender-key/ban-not-evaded"},
	},
}

const (
	// CreatorJoinUnmapped is where a join is written (rooms.writeJoin).
	CreatorJoinUnmapped ID = "creator-join-unmapped"
	// LocalJoinUnmapped is where a join is written (rooms.writeJoin).
	LocalJoinUnmapped ID = "local-join-unmapped"
	// RemoteJoinUnmapped is where a member event is made from another server's template (rooms.fromTemplate).
	RemoteJoinUnmapped ID = "remote-join-unmapped"
	// InvitesUnmapped is where a partial invite is completed, and what is asked of completed ones (pseudonym/invite.go).
	InvitesUnmapped ID = "invites-unmapped"
	// ProfileChangeUnmapped is where a new profile is told to a room (rooms.writeProfile).
	ProfileChangeUnmapped ID = "profile-change-unmapped"
	// MappingInUpperCase is where mappings are made (pseudonym.NewMapping).
	MappingInUpperCase ID = "mapping-in-upper-case"
	// MappingUnsigned is where mappings are made (pseudonym.NewMapping).
	MappingUnsigned ID = "mapping-unsigned"

	// UnmappedByRawKey is where the fate of a member event without a mapping is decided (pseudonym.Handle), and where
	// members of whom nothing is known get their name (pseudonym.PlaceholderOfKey).
	UnmappedByRawKey ID = "unmapped-by-raw-key"
	// MappingSignaturesUnchecked is where the signatures of a mapping are judged (pseudonym.judgeSignatures), and where it is
	// said whose joins a server may bring (pseudonym.MayDeliver).
	MappingSignaturesUnchecked ID = "mapping-signatures-unchecked"
	// UnsignedMappingHonoured is where the signatures of a mapping are judged (pseudonym.judgeSignatures).
	UnsignedMappingHonoured ID = "unsigned-mapping-honoured"
	// ForeignMappingHonoured is where the signatures of a mapping are judged (pseudonym.judgeSignatures), and where it is
	// said whose joins a server may bring (pseudonym.MayDeliver).
	ForeignMappingHonoured ID = "foreign-mapping-honoured"
	// UnknownMappingKeyHonoured is where the signatures of a mapping are judged (pseudonym.judgeSignatures).
	UnknownMappingKeyHonoured ID = "unknown-mapping-key-honoured"
	// BadMappingSignatureHonoured is where the signatures of a mapping are judged (pseudonym.judgeSignatures).
	BadMappingSignatureHonoured ID = "bad-mapping-signature-honoured"
	// DisprovenByPlaceholder is where the fate of a member event is decided (pseudonym.Handle).
	DisprovenByPlaceholder ID = "disproven-by-placeholder"
	// RefusedJoinKept is where the join that a server brings is taken (rooms.takeMember).
	RefusedJoinKept ID = "refused-join-kept"
	// OtherKeyMappingHonoured is where a mapping is judged (pseudonym.Judge).
	OtherKeyMappingHonoured ID = "other-key-mapping-honoured"
)

var mappingFaults = []Fault{
	{
		ID: CreatorJoinUnmapped, Does: "writes the join of a room's creator without a mapping",
		Breaks: "MSC4014, Proposal 4: member events have mxid_mapping",
		Requirements: []string{
			"mapping/in-creator-join", "mapping/names-key", "mapping/names-user", "mapping/signed-by-users-server",
			"membership/join-remote", "membership/remote-joins-us", "membership/leave-remote", "redaction/algorithm-unchanged",
		},
	},
	{
		ID: LocalJoinUnmapped, Does: "writes joins into rooms that it is in without a mapping",
		Breaks:       "MSC4014, Proposal 4: member events have mxid_mapping",
		Requirements: []string{"mapping/in-local-join", "mapping/signed-by-users-server"},
	},
	{
		ID: RemoteJoinUnmapped, Does: "writes joins into rooms of other servers without a mapping",
		Breaks:       "MSC4014, Proposal 4: member events have mxid_mapping",
		Requirements: []string{"mapping/in-remote-join", "membership/join-remote", "membership/join-by-alias"},
	},
	{
		ID: InvitesUnmapped, Does: "completes invites without a mapping, as deployed servers do",
		Breaks:       "MSC1228, Sending invites: the invited server adds the attestation of the user ID",
		Requirements: []string{"mapping/in-invite", "invite/completed-by-invited-server", "invite/shown-by-user-id"},
	},
	{
		ID: ProfileChangeUnmapped, Does: "writes the join that tells of a new profile without a mapping",
		Breaks:       "MSC4014, Proposal 4: member events have mxid_mapping",
		Requirements: []string{"mapping/in-profile-change"},
	},
	{
		ID: MappingInUpperCase, Does: "writes the localpart of the user ID in capitals into mappings",
		Breaks: "MSC4014, Proposal 4: the mapping has the user_id of the member",
		Requirements: []string{
			"mapping/in-creator-join", "mapping/in-local-join", "mapping/in-remote-join", "mapping/in-invite",
			"mapping/in-profile-change", "mapping/names-user", "membership/join-remote",
			"membership/join-by-alias", "membership/remote-joins-us", "membership/leave-remote",
			"routing/reaches-members", "invite/completed-by-invited-server", "invite/shown-by-user-id",
		},
	},
	{
		ID: MappingUnsigned, Does: "writes mappings without the server's signature",
		Breaks: "MSC4014, Proposal 4: the mapping has, critically, a signature from the domain of the user ID",
		Requirements: []string{
			"mapping/signed-by-users-server", "membership/join-remote", "membership/join-by-alias",
			"membership/remote-joins-us", "membership/leave-remote", "resilience/restart",
			"unverified/every-path", "invite/completed-by-invited-server", "invite/shown-by-user-id",
		},
	},
	{
		ID: UnmappedByRawKey, Does: "takes joins without a mapping and shows their member by the bare key",
		Breaks:       "MSC4014, Changes 5 and 6 (option A): sender is a user ID, and a malformed one would break clients",
		Requirements: []string{"mapping/missing-not-honoured"},
	},
	{
		ID: MappingSignaturesUnchecked, Does: "believes every mapping, whoever signed it",
		Breaks: "MSC4014, Proposal 4.1: the signature ensures that the link cannot be spoofed",
		Requirements: []string{
			"mapping/unsigned-not-honoured", "mapping/bad-signature-rejected", "mapping/foreign-signature-not-honoured",
			"mapping/unknown-key-id-not-honoured", "routing/only-verified", "routing/backfill-authorised",
			"unverified/placeholder", "unverified/claimed-id-hidden", "unverified/every-path",
		},
	},
	{
		ID: UnsignedMappingHonoured, Does: "believes a mapping without signatures, as there is none that is wrong",
		Breaks:       "MSC4014, Proposal 4: the mapping has a signature from the domain of the user ID",
		Requirements: []string{"mapping/unsigned-not-honoured", "routing/only-verified"},
	},
	{
		ID: ForeignMappingHonoured, Does: "believes a mapping that some server signed, whichever",
		Breaks: "MSC4014, Proposal 4.1: it cannot be spoofed by any random server",
		Requirements: []string{
			"mapping/foreign-signature-not-honoured", "routing/only-verified", "routing/backfill-authorised",
		},
	},
	{
		ID: UnknownMappingKeyHonoured, Does: "believes a mapping whose signature is under a key ID that the domain does not publish",
		Breaks:       "MSC4014, Proposal 4.2: server keys are needed to verify the signature",
		Requirements: []string{"mapping/unknown-key-id-not-honoured"},
	},
	{
		ID: BadMappingSignatureHonoured, Does: "believes a mapping whose signature is under the right name, right or wrong",
		Breaks:       "MSC1228, Implementation: if the signature is wrong, the event is rejected",
		Requirements: []string{"mapping/bad-signature-rejected"},
	},
	{
		ID: DisprovenByPlaceholder, Does: "takes a join whose mapping a known key disproves, and shows its member by a placeholder",
		Breaks:       "MSC1228, Implementation: if the signature is wrong, the event is rejected",
		Requirements: []string{"mapping/bad-signature-rejected"},
	},
	{
		ID: RefusedJoinKept, Does: "answers send_join with 403 for the join's mapping, and keeps the join all the same",
		Breaks:       "MSC1228, Implementation: if the signature is wrong, the event is rejected",
		Requirements: []string{"mapping/bad-signature-rejected"},
	},
	{
		ID: OtherKeyMappingHonoured, Does: "believes a mapping of another key than its member event is about",
		Breaks:       "MSC4014, Proposal 4: the mapping links together a key, which it contains, and a user ID",
		Requirements: []string{"mapping/other-key-not-honoured"},
	},
}
