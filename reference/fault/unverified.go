package fault

// Faults of chapter unverified: what becomes of members whose server's keys cannot be had.

const (
	// UnverifiedRefused is where the fate of a member event is decided (pseudonym.Handle).
	UnverifiedRefused ID = "unverified-refused"
	// UnverifiedAsClaimed is where placeholders are made (pseudonym.Placeholder).
	UnverifiedAsClaimed ID = "unverified-as-claimed"
	// UnverifiedByRawKey is where placeholders are made (pseudonym.Placeholder).
	UnverifiedByRawKey ID = "unverified-by-raw-key"
	// PlaceholderWithoutDomain is where placeholders are made (pseudonym.Placeholder).
	PlaceholderWithoutDomain ID = "placeholder-without-domain"
	// UnverifiedKeyHidden is where events are shown to clients (pseudonym.clientFields).
	UnverifiedKeyHidden ID = "unverified-key-hidden"
	// MemberNotSentAgain is where a later verification is taken in (pseudonym.Settle).
	MemberNotSentAgain ID = "member-not-sent-again"
	// PlaceholderKept is where names are looked up for an event (pseudonym.namesAt).
	PlaceholderKept ID = "placeholder-kept"
	// KeysWaitedFor is where keys are fetched and waited for (keyring.within).
	KeysWaitedFor ID = "keys-waited-for"
)

var unverifiedFaults = []Fault{
	{
		ID: UnverifiedRefused, Does: "refuses member events whose mapping cannot be verified now",
		Breaks:       "MSC4014, Changes from MSC1228 6.1: those events would now be accepted",
		Requirements: []string{"unverified/event-accepted", "unverified/every-path"},
	},
	{
		ID: UnverifiedAsClaimed, Does: "shows members by the user ID that they claim, verified or not",
		Breaks:       "MSC4014, Changes from MSC1228 6.1 (option C): it would let malicious servers pretend that somebody is in a room",
		Requirements: []string{"unverified/placeholder", "unverified/claimed-id-hidden", "unverified/every-path"},
	},
	{
		ID: UnverifiedByRawKey, Does: "shows members by their key until they are verified",
		Breaks:       "MSC4014, Changes from MSC1228 6.1 (option A): a malformed user ID would break many clients",
		Requirements: []string{"unverified/placeholder", "unverified/no-raw-key-shown", "unverified/every-path"},
	},
	{
		ID: PlaceholderWithoutDomain, Does: "makes placeholders of the claimed localpart alone",
		Breaks:       "MSC4014, Changes from MSC1228 6: the fake user ID has localpart and domain of the claimed one",
		Requirements: []string{"unverified/placeholder", "unverified/every-path"},
	},
	{
		ID: UnverifiedKeyHidden, Does: "sends clients no sender_key with events of members who are not verified",
		Breaks:       "MSC4014, Key-aware clients: the key pairs up unverified and verified senders",
		Requirements: []string{"unverified/sender-key-shown", "unverified/every-path"},
	},
	{
		ID: MemberNotSentAgain, Does: "sends clients nothing when it has verified a member later",
		Breaks:       "MSC4014, Changes from MSC1228 6.2: it should resend the member event, with the correct user ID",
		Requirements: []string{"unverified/verified-later"},
	},
	{
		ID: PlaceholderKept, Does: "shows new events of a member by the placeholder that it once had, verified or not",
		Breaks:       "MSC4014, Changes from MSC1228 6.2: events sent after the verification will show the true user",
		Requirements: []string{"unverified/later-events-true"},
	},
	{
		ID: KeysWaitedFor, Does: "waits for the keys of a member's server for as long as that has not answered",
		Breaks:       "MSC1228, Handling the mxid mapping, Implementation: mappings of a room just joined are timed out quickly",
		Requirements: []string{"unverified/join-not-held-up"},
	},
}
