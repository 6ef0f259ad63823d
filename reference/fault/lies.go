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
	// JoinsForOthers is in the rules for joins (rules.joinAllowed), and where the join that a server brings is taken
	// (rooms.takeMember).
	JoinsForOthers ID = "joins-for-others"
	// MappingOfAnyMemberEvent is where a mapping is judged (pseudonym.Judge), and where it is said what it can do
	// (pseudonym.EffectOf).
	MappingOfAnyMemberEvent ID = "mapping-of-any-member-event"
)

// believed are the requirements that a server breaks which takes mappings at their word.
func believed(more ...string) []string {
	return append([]string{
		"mapping/unsigned-not-honoured", "mapping/bad-signature-rejected", "mapping/foreign-signature-not-honoured",
		"mapping/unknown-key-id-not-honoured", "mapping/other-key-not-honoured", "mapping/no-claim-of-local-user",
	}, more...)
}

var lieFaults = []Fault{
	{
		ID: PushedMappingsBelieved, Does: "verifies mappings by send_join alone, and believes those of joins in transactions",
		Breaks:       "MSC4014, Proposal 4.1: the link of a key and a user ID cannot be spoofed by any random server",
		Requirements: believed("mapping/no-claim-of-third-user", "mapping/no-hijack"),
	},
	{
		ID: SendJoinMappingsBelieved, Does: "believes the mapping of a join that is brought by send_join",
		Breaks:       "MSC4014, Proposal 4.1: the link of a key and a user ID cannot be spoofed by any random server",
		Requirements: believed("mapping/no-claim-of-third-user", "mapping/no-hijack"),
	},
	{
		ID: EnteredMappingsBelieved, Does: "believes the mappings in the answer to its own send_join",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: believed("mapping/no-claim-of-third-user"),
	},
	{
		ID: BackfilledMappingsBelieved, Does: "believes the mappings of old events",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: believed(),
	},
	{
		ID: GapMappingsBelieved, Does: "believes the mappings of events that it was missing",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: believed(),
	},
	{
		ID: GivenMappingsBelieved, Does: "believes the mappings in a state that it asked for",
		Breaks:       "MSC1228, Implementation: the signature of a mapping is verified wherever an invite or a join turns up",
		Requirements: believed(),
	},
	{
		ID: AuthMappingsBelieved, Does: "believes the mappings of events that it asked for because others stand on them",
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
		ID: JoinsForOthers, Does: "takes a join that one key writes for another",
		Breaks:       "authorisation rules, m.room.member 4.3.2: the state key is the sender",
		Requirements: []string{"mapping/no-hijack", "auth/member-key-must-match"},
	},
	{
		ID: MappingOfAnyMemberEvent, Does: "verifies the mappings of joins, and believes those of other member events, the newest first",
		Breaks: "MSC1228, Implementation: it is invite and join events that bring mappings, and they are verified",
		Requirements: []string{
			"mapping/unverified-on-leave", "mapping/unverified-on-ban", "mapping/unverified-on-knock", "mapping/unverified-on-invite",
		},
	},
}
