package fault

// Faults of chapters signing and auth: which events are believed, and what their senders may do.

const (
	// NamesSignedByServer is where events are built (pseudonym.Build).
	NamesSignedByServer ID = "names-signed-by-server"
	// EventsNeedServerKeys is where events of other servers are verified (rooms.checkSender).
	EventsNeedServerKeys ID = "events-need-server-keys"
	// UnverifiedSendersRefused is where events of other servers are verified (rooms.checkSender).
	UnverifiedSendersRefused ID = "unverified-senders-refused"
	// FurtherSignaturesLookedUp is where events of other servers are verified (rooms.checkSender).
	FurtherSignaturesLookedUp ID = "further-signatures-looked-up"
	// EventSignaturesUnchecked is where events of other servers are verified (rooms.checkSender).
	EventSignaturesUnchecked ID = "event-signatures-unchecked"
	// FetchedSignaturesUnchecked is where events of other servers are verified (rooms.checkSender).
	FetchedSignaturesUnchecked ID = "fetched-signatures-unchecked"
	// ServerSignatureSuffices is where events of other servers are verified (rooms.checkSender).
	ServerSignatureSuffices ID = "server-signature-suffices"
	// UnsignedEventsTaken is where the signature of a sender key is verified (pseudonym.CheckSignedBy).
	UnsignedEventsTaken ID = "unsigned-events-taken"
	// OwnNameSuffices is where the signature of a sender key is verified (pseudonym.CheckSignedBy).
	OwnNameSuffices ID = "own-name-suffices"
	// AnyKeySuffices is where the signature of a sender key is verified (pseudonym.CheckSignedBy).
	AnyKeySuffices ID = "any-key-suffices"
	// ContentHashUnchecked is where events are taken in (pseudonym.TakeIn).
	ContentHashUnchecked ID = "content-hash-unchecked"
	// TamperedEventsDropped is where events are taken in (pseudonym.TakeIn).
	TamperedEventsDropped ID = "tampered-events-dropped"
)

var signingFaults = []Fault{
	{
		ID: NamesSignedByServer, Does: "signs the names of rooms by the server's key, as in other rooms",
		Breaks:       "MSC4014, Proposal 2: events are signed by the sender_key",
		Requirements: []string{"signing/every-event-type"},
	},
	{
		ID: EventsNeedServerKeys, Does: "takes events only while the sender's server has a valid key, and asks it for one",
		Breaks:       "MSC4014, Proposal 2: signatures can be verified without external network requests",
		Requirements: []string{"signing/needs-no-server-keys"},
	},
	{
		ID: UnverifiedSendersRefused, Does: "takes no event but member events of keys whose mapping it could not verify",
		Breaks:       "MSC4014, Proposal 2.1 and Changes 6.1: the room does not need server keys, and such events are accepted",
		Requirements: []string{"signing/dead-resident", "unverified/event-accepted"},
	},
	{
		ID: FurtherSignaturesLookedUp, Does: "asks every server whose signature stands on an event for its keys",
		Breaks:       "MSC4014, Proposal 2: no external network requests are required to verify events",
		Requirements: []string{"signing/no-key-lookup-for-events"},
	},
	{
		ID: EventSignaturesUnchecked, Does: "believes every event, whoever signed it",
		Breaks: "MSC4014, Proposal 2: events are signed by the sender_key, and that is verified",
		Requirements: []string{
			"signing/rejects-unsigned", "signing/rejects-bad-signature", "signing/rejects-other-key", "signing/rejects-server-key",
		},
	},
	{
		ID: FetchedSignaturesUnchecked, Does: "verifies the events that it is sent, and not those that it asked for",
		Breaks: "server-server API, checks performed on receipt of a PDU: all are, by whichever way they come",
		Requirements: []string{
			"signing/rejects-unsigned", "signing/rejects-bad-signature", "signing/rejects-other-key", "signing/rejects-server-key",
		},
	},
	{
		ID: ServerSignatureSuffices, Does: "takes an event that a server has signed, as in other rooms",
		Breaks:       "MSC4014, Proposal 2: it is the sender_key that signs",
		Requirements: []string{"signing/rejects-server-key"},
	},
	{
		ID: UnsignedEventsTaken, Does: "takes an event without signatures, as there is none that is wrong",
		Breaks:       "MSC4014, Proposal 2: events are signed by the sender_key",
		Requirements: []string{"signing/rejects-unsigned"},
	},
	{
		ID: OwnNameSuffices, Does: "takes an event with a signature under its sender key's name, right or wrong",
		Breaks:       "MSC4014, Proposal 2: the signature is verified by the key that the event brings",
		Requirements: []string{"signing/rejects-bad-signature", "signing/rejects-other-key"},
	},
	{
		ID: AnyKeySuffices, Does: "takes an event that any sender key has signed, the sender's or not",
		Breaks:       "MSC4014, Proposal 2: it is the event's own sender_key that signs",
		Requirements: []string{"signing/rejects-other-key"},
	},
	{
		ID: ContentHashUnchecked, Does: "takes events with whatever content, without a look at the hash",
		Breaks:       "server-server API, checks performed on receipt of a PDU: an event whose hash is wrong is redacted first",
		Requirements: []string{"signing/tampered-content-redacted"},
	},
	{
		ID: TamperedEventsDropped, Does: "drops events whose content hash is wrong",
		Breaks:       "server-server API, checks performed on receipt of a PDU: such an event is redacted and processed further",
		Requirements: []string{"signing/tampered-content-redacted"},
	},
}

const (
	// UserIDSendersTaken is where the sender of an event is read (rooms.oddSender), and what the rules then take for the
	// key of a member (rules.AnyMemberKey).
	UserIDSendersTaken ID = "user-id-senders-taken"
	// KeysInAnySpelling is where the sender of an event is read (rooms.oddSender), and what the rules then take for the key
	// of a member (rules.AnyMemberKey).
	KeysInAnySpelling ID = "keys-in-any-spelling"
	// JoinsForOthersTaken is in the rules for joins (rules.joinAllowed, rules.AnyMemberKey), and where the join that a
	// server brings is taken (rooms.takeMember).
	JoinsForOthersTaken ID = "joins-for-others-taken"
	// SenderFieldBelieved is where the sender of an event is read (rooms.oddSender), and in the rules (rules.powerful).
	SenderFieldBelieved ID = "sender-field-believed"
	// StateDefaultUnread is in the rules (rules.Allowed, rule 7).
	StateDefaultUnread ID = "state-default-unread"
	// BannedMayWrite is in the rules (rules.Allowed, rule 5).
	BannedMayWrite ID = "banned-may-write"
	// AuthoriserByUserID is where somebody lets a user into a restricted room (rooms.vouched), and in the rules for that
	// (rules.authoriserByUserID).
	AuthoriserByUserID ID = "authoriser-by-user-id"
	// AuthoriserSignatureUnchecked is where who lets a user in signs (pseudonym.SignAsAuthoriser), and in the rules
	// (rules.checkAuthoriser).
	AuthoriserSignatureUnchecked ID = "authoriser-signature-unchecked"
	// RestrictedAsPublic is in the rules for joins (rules.joinAllowed).
	RestrictedAsPublic ID = "restricted-as-public"
	// FurtherSignaturesUnserved is where events are written for other servers (rooms.forPeers).
	FurtherSignaturesUnserved ID = "further-signatures-unserved"
	// LastStateWins is where conflicting states are resolved (rooms.resolve).
	LastStateWins ID = "last-state-wins"
)

var authFaults = []Fault{
	{
		ID: UserIDSendersTaken, Does: "takes a user ID for the sender of an event, as in other rooms",
		Breaks:       "MSC4014, Proposal 1.1: the value of a sender_key is always a public key",
		Requirements: []string{"auth/mxid-sender-rejected"},
	},
	{
		ID: KeysInAnySpelling, Does: "reads keys with padding and in the URL-safe alphabet too, each spelling a key of its own",
		Breaks:       "MSC4014, Proposal 1: the key is encoded as other binary event data is; MSC1228, Proposal: bans are by key",
		Requirements: []string{"auth/ban-by-key"},
	},
	{
		ID: JoinsForOthersTaken, Does: "does not compare the state key of a join with its sender",
		Breaks:       "authorisation rules, m.room.member 4.3.2: a join whose sender is not its state key is rejected",
		Requirements: []string{"auth/member-key-must-match", "mapping/no-hijack"},
	},
	{
		ID: StateDefaultUnread, Does: "asks no more power for state than for messages, where power levels do not name the type",
		Breaks:       "authorisation rules, 7: the event type's required power level; m.room.power_levels, state_default",
		Requirements: []string{"auth/power-by-key", "auth/state-resolution"},
	},
	{
		ID: SenderFieldBelieved, Does: "gives an event the power of whom its sender field names, though a key sent it",
		Breaks:       "MSC4014, Changes 4: the sender is not used over federation; MSC1228, Proposal: power is held by the key",
		Requirements: []string{"auth/power-by-key"},
	},
	{
		ID: BannedMayWrite, Does: "lets banned keys write",
		Breaks:       "authorisation rules, 5: the sender is joined",
		Requirements: []string{"auth/ban-by-key", "sender-key/ban-not-evaded"},
	},
	{
		ID: AuthoriserByUserID, Does: "names who lets a user into a restricted room by user ID, and takes that from others, as in other rooms",
		Breaks:       "MSC4014, Additional notes: join_authorised_via_users_server will now be a sender_key",
		Requirements: []string{"auth/restricted-authoriser-is-key"},
	},
	{
		ID: AuthoriserSignatureUnchecked, Does: "neither signs as who lets a user into a restricted room nor asks for that signature",
		Breaks:       "MSC4014, Additional notes: the event must be signed by the same key as this field",
		Requirements: []string{"auth/restricted-signed-by-authoriser"},
	},
	{
		ID: RestrictedAsPublic, Does: "lets everybody who names no authoriser, or anybody for one, into restricted rooms",
		Breaks:       "authorisation rules, m.room.member 4.3.5: a member with the power to invite must have authorised the join",
		Requirements: []string{"auth/restricted-authoriser-is-key", "auth/restricted-signed-by-authoriser"},
	},
	{
		ID: FurtherSignaturesUnserved, Does: "serves joins to other servers with their sender's signature alone",
		Breaks:       "MSC4014, Additional notes: the event must be signed by the same key as join_authorised_via_users_server",
		Requirements: []string{"auth/restricted-signed-by-authoriser"},
	},
	{
		ID: LastStateWins, Does: "lets the event that came last stand where states conflict",
		Breaks:       "room version 2, state resolution: the result does not depend on the order in which events come",
		Requirements: []string{"auth/state-resolution", "resilience/partition-heals"},
	},
}
