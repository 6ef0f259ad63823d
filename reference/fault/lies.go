package fault

// Faults about whom the server believes: mappings that it takes at their word along one of the ways by which it meets member
// events, and mappings that it lets do what they must not.

const (
	// PushedMappingsBelieved is where an event of a transaction is taken (rooms.takeForeign).
	PushedMappingsBelieved ID = "pushed-mappings-believed"
	// SendJoinMappingsBelieved is where the join that a server brings is taken (rooms.takeMember).
	SendJoinMappingsBelieved ID = "send-join-mappings-believed"
	// EnteredMappingsBelieved is where the answer to send_join is read (rooms.enter).
	EnteredMappingsBelieved ID = "entered-mappings-believed"
	// BackfilledMappingsBelieved is where old events are taken (rooms.stateOfOld).
	BackfilledMappingsBelieved ID = "backfilled-mappings-believed"
	// GapMappingsBelieved is where a gap is filled (rooms.fillGap).
	GapMappingsBelieved ID = "gap-mappings-believed"
	// GivenMappingsBelieved is where the state before an event is read (rooms.stateGiven).
	GivenMappingsBelieved ID = "given-mappings-believed"
	// AuthMappingsBelieved is where missing auth events are read (rooms.withAuthEvents).
	AuthMappingsBelieved ID = "auth-mappings-believed"
	// CompletedMappingsBelieved is where a completed invite is verified (pseudonym.CheckCompleted).
	CompletedMappingsBelieved ID = "completed-mappings-believed"

	// OwnUsersBelieved is where the signatures of a mapping are judged (pseudonym.judgeSignatures).
	OwnUsersBelieved ID = "own-users-believed"
	// MappingFiledByItsKey is where the directory of a room learns of a member (rooms.learn), and where a mapping is judged
	// (pseudonym.Judge).
	MappingFiledByItsKey ID = "mapping-filed-by-its-key"
	// InvitedKeyNotAsked is where an invite of another server is verified (pseudonym.CheckInvite).
	InvitedKeyNotAsked ID = "invited-key-not-asked"
	// FirstMappingStays is where the directory of a room learns of a member (pseudonym.Learn).
	FirstMappingStays ID = "first-mapping-stays"
	// NewestArrivalWins is where the directory of a room learns of a member (pseudonym.Learn).
	NewestArrivalWins ID = "newest-arrival-wins"
	// PendingReplacesVerified is where the directory of a room learns of a member (pseudonym.Learn).
	PendingReplacesVerified ID = "pending-replaces-verified"
	// MalformedByRawKey is where the fate of a member event is decided (pseudonym.Handle), and where members of whom nothing is
	// known get their name (pseudonym.PlaceholderOfKey).
	MalformedByRawKey ID = "malformed-by-raw-key"
	// MappingOfAnyMemberEvent is where a mapping is judged (pseudonym.Judge), and where it is said what it can do
	// (pseudonym.EffectOf).
	MappingOfAnyMemberEvent ID = "mapping-of-any-member-event"
)

// claims are the requirements about forged claims that are judged along most ways.
func claims(more ...string) []string {
	return append([]string{
		"mapping/unsigned-not-honoured", "mapping/foreign-signature-not-honoured", "mapping/no-claim-of-local-user",
	}, more...)
}

const (
	badSignature = "mapping/bad-signature-rejected"
	unknownKeyID = "mapping/unknown-key-id-not-honoured"
	otherKey     = "mapping/other-key-not-honoured"
	thirdUser    = "mapping/no-claim-of-third-user"
	noHijack     = "mapping/no-hijack"
	routedThere  = "routing/only-verified"
	opensHistory = "routing/backfill-authorised"
)

var lieFaults = []Fault{
	{
		ID: PushedMappingsBelieved, Does: "verifies mappings by send_join alone, and believes those of joins in transactions",
		Breaks:       "MSC4014, Proposal 4.1: the link of a key and a user ID cannot be spoofed by any random server",
		Requirements: claims(badSignature, unknownKeyID, otherKey, thirdUser, noHijack, routedThere, opensHistory),
	},
	{
		ID: SendJoinMappingsBelieved, Does: "takes the join that is brought by send_join at its word, whoever brings it",
		Breaks:       "MSC4014, Proposal 4.1: the link of a key and a user ID cannot be spoofed by any random server",
		Requirements: claims(badSignature, unknownKeyID, otherKey, thirdUser, noHijack, routedThere),
	},
	{
		ID: EnteredMappingsBelieved, Does: "believes the mappings in the answer to its own send_join",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: claims(badSignature, unknownKeyID, otherKey, thirdUser, routedThere),
	},
	{
		ID: BackfilledMappingsBelieved, Does: "believes the mappings of old events",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: claims(otherKey),
	},
	{
		ID: GapMappingsBelieved, Does: "believes the mappings of events that it was missing",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: claims(badSignature, unknownKeyID),
	},
	{
		ID: GivenMappingsBelieved, Does: "believes the mappings in a state that it asked for",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: []string{"mapping/foreign-signature-not-honoured"},
	},
	{
		ID: AuthMappingsBelieved, Does: "believes the mappings of events that it asked for because others stand on them, as the newest",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: []string{"mapping/foreign-signature-not-honoured", "mapping/no-claim-of-local-user"},
	},
	{
		ID: CompletedMappingsBelieved, Does: "believes the mapping of an invite that another server completed",
		Breaks:       "MSC4014, Proposal 4.1: the link of a key and a user ID cannot be spoofed by any random server",
		Requirements: []string{"mapping/foreign-signature-not-honoured", "mapping/no-claim-of-local-user"},
	},
	{
		ID: OwnUsersBelieved, Does: "believes a mapping of one of its own users, for which it need not ask for a key",
		Breaks:       "MSC4014, Proposal 4: the mapping has a signature from the domain of the user ID, its own domain too",
		Requirements: []string{"mapping/no-claim-of-local-user"},
	},
	{
		ID: MappingFiledByItsKey, Does: "keeps a mapping for the key that it names, whoever's member event it is in",
		Breaks:       "MSC4014, Proposal 4.1: the link of a key and a user ID cannot be spoofed by any random server",
		Requirements: []string{"mapping/other-key-not-honoured", "mapping/no-hijack"},
	},
	{
		ID: InvitedKeyNotAsked, Does: "takes invites that the invited user's key did not sign",
		Breaks:       "MSC1228, Sending invites: the invited server signs it, so that others can be sure that it has the event",
		Requirements: []string{"mapping/unverified-on-invite"},
	},
	{
		ID: FirstMappingStays, Does: "never replaces the mapping of a key",
		Breaks:       "MSC1228, Implementation: only the most recent mapping counts",
		Requirements: []string{"mapping/latest-wins"},
	},
	{
		ID: NewestArrivalWins, Does: "takes the mapping that arrives last for the newest",
		Breaks:       "MSC1228, Implementation: mappings of old events that arrive by backfill are ignored where there is one",
		Requirements: []string{"mapping/older-does-not-replace"},
	},
	{
		ID: PendingReplacesVerified, Does: "forgets the verified mapping of a key when a newer one comes that cannot be verified yet",
		Breaks:       "MSC1228, Implementation: a verified mapping remains in place until another becomes available",
		Requirements: []string{"mapping/pending-keeps-verified"},
	},
	{
		ID: MalformedByRawKey, Does: "takes joins whose mapping it cannot read and shows their member by the bare key",
		Breaks:       "MSC4014, Changes 5 and 6 (option A): sender is a user ID, and a malformed one would break clients",
		Requirements: []string{"mapping/malformed-not-honoured"},
	},
	{
		ID: MappingOfAnyMemberEvent, Does: "verifies the mappings of joins, and believes those of other member events, the newest first",
		Breaks: "MSC1228, Implementation: it is invite and join events that bring mappings, and they are verified",
		Requirements: []string{
			"mapping/unverified-on-leave", "mapping/unverified-on-ban", "mapping/unverified-on-knock", "mapping/unverified-on-invite",
		},
	},
}
