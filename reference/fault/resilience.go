package fault

// Faults of chapter resilience: what restarts, crowds, cuts and hostile input come to.

const (
	// MappingsNotStored is where rooms are read again at the start (rooms.finishLoading).
	MappingsNotStored ID = "mappings-not-stored"
	// CrashOnSecondKey is where the directory of a room learns of a member (rooms.learn).
	CrashOnSecondKey ID = "crash-on-second-key"
	// SyncFailsOnSecondKey is where clients are told what is new (clientapi, GET /sync).
	SyncFailsOnSecondKey ID = "sync-fails-on-second-key"
	// JoinsAtOnceAreOne is where an own user joins a room (rooms.Join).
	JoinsAtOnceAreOne ID = "joins-at-once-are-one"
	// StaleJoinsRefused is where the join that a server brings is taken (rooms.takeMember).
	StaleJoinsRefused ID = "stale-joins-refused"
	// FailedTransactionsDropped is where what waits for a server is sent (outgoing.sendAll).
	FailedTransactionsDropped ID = "failed-transactions-dropped"
	// CrashOnMalformedMapping is where a mapping is read (pseudonym.Judge).
	CrashOnMalformedMapping ID = "crash-on-malformed-mapping"
	// ViewsFailOnOddNames is where a client is told the joined members (clientapi, GET /joined_members).
	ViewsFailOnOddNames ID = "views-fail-on-odd-names"
	// GapsNotFilled is where an event of another server is taken (rooms.receive).
	GapsNotFilled ID = "gaps-not-filled"
)

var resilienceFaults = []Fault{
	{
		ID: MappingsNotStored, Does: "keeps in memory alone whom the keys of other servers' users stand for",
		Breaks:       "hard requirement 1: clients see after a restart what they saw before it",
		Requirements: []string{"resilience/restart", "routing/after-restart"},
	},
	{
		ID: CrashOnSecondKey, Does: "ends when a user has two keys in a room, which it holds for impossible",
		Breaks:       "MSC4014, Proposal 3.2: there are legitimate reasons for cycling keys",
		Requirements: []string{"resilience/stays-up"},
	},
	{
		ID: SyncFailsOnSecondKey, Does: "answers /sync with 500 to members of a room in which a user has two keys",
		Breaks:       "MSC4014, Proposal 3.2: there are legitimate reasons for cycling keys",
		Requirements: []string{"resilience/stays-up"},
	},
	{
		ID: JoinsAtOnceAreOne, Does: "answers who joins a room while another user does, or in the second after that, that it is done",
		Breaks:       "client-server API, POST /join: the answer says that the user is in the room",
		Requirements: []string{"resilience/concurrent-joins"},
	},
	{
		ID: StaleJoinsRefused, Does: "refuses a join by send_join when something has happened in the room since the answer to make_join",
		Breaks:       "server-server API, joining rooms: the join stands where its template does, and events may come beside each other",
		Requirements: []string{"resilience/concurrent-joins"},
	},
	{
		ID: FailedTransactionsDropped, Does: "sends nothing again that a server could not be reached for",
		Breaks:       "server-server API, transactions: the sender retries until the receiver has them",
		Requirements: []string{"resilience/partition-heals"},
	},
	{
		ID: GapsNotFilled, Does: "asks for no events between those that it has and one that it is sent",
		Breaks:       "server-server API, retrieving missing events: a server that finds a gap asks for what is in it",
		Requirements: []string{"resilience/partition-heals", "routing/missing-events"},
	},
	{
		ID: CrashOnMalformedMapping, Does: "ends when it cannot read a mapping, which it holds for impossible in an event that is signed",
		Breaks:       "MSC4014, Proposal 2 and 4: it is the member's own key that signs the event, and so anybody's",
		Requirements: []string{"resilience/stays-up", "mapping/malformed-not-honoured"},
	},
	{
		ID: ViewsFailOnOddNames, Does: "answers /joined_members with 500 where a member's display name is no text",
		Breaks:       "client-server API: content of events is what their senders wrote, and no ground to refuse a client its rooms",
		Requirements: []string{"resilience/stays-up"},
	},
}
