package pseudonym

// This file names what MSC4014 leaves open, and the readings of it, by the identifiers and slugs of requirements/data.

import (
	"fmt"
	"slices"

	"msc4014/reference/pdu"
)

// Reading is one way to read something that the text leaves open: a slug of requirements/data.
type Reading string

// Readings has one reading for each open point that the server decides, mostly in this package. Offers lists the
// requirement of each field and its possible readings; those decided elsewhere are LookUps and ReplacedKey (keyring), Notary (rooms/verify.go), SlidingSync
// (clientapi/slidingsync.go), ByDomain and BySigil (rules/identity.go).
type Readings struct {
	// On the wire.
	Identifier, UpgradeCarries, SignatureEntity, ServerSignatures, NonCanonical, Origin, RoomID, WidgetCreator, RedactedSenderKey Reading
	// Authorisation.
	ByDomain, BySigil Reading
	// Mappings.
	InLeaveBanKnock, UnprovenHandling, Replayed, ExpiredServerKey, ReplacedKey, ExtraSignatures, ThirdServer, SecondKey, BanEvasion Reading
	// Users that cannot be verified.
	PlaceholderForm, PlaceholderNames, PlaceholderRequests, UnverifiedInContent, EarlierEvents, Notary,
	SlidingSync Reading
	// Clients.
	MappingPresent, KeyElsewhere, PowerBeforeJoin, StateKeyBeforeJoin, UnknownPower, BanBeforeJoin Reading
	// Joins, leaves and knocks of other servers, invites, redaction, routing.
	MakeTemplate, ThirdPartyInvite, InviteEndpoint, UnknownInvited, RedactedMapping, LaterJoiner, SameServerRedaction, Deactivation, TakenAway, LeftMapping, AliasServers, ACLAndClaims, LookUps Reading
}

// Offer is an open requirement with its possible readings, the default first.
type Offer struct {
	Requirement string
	Readings    []Reading
	field       func(*Readings) *Reading
}

// Offers lists everything that can be read in more than one way: the default first, which is usually what deployed servers
// do or what keeps unchanged clients working. Where the letter differs, the code says so. A field may belong to two
// requirements that are one decision (OneDecision).
func Offers() []Offer {
	type of = []Reading
	return []Offer{
		{"room-version/identifier", of{"msc4014-base-10", "msc4014-base-11"},
			func(r *Readings) *Reading { return &r.Identifier }},
		{"room-version/upgrade-carries", of{"power-only", "nothing"},
			func(r *Readings) *Reading { return &r.UpgradeCarries }},
		{"event-format/signature-entity", of{"entity-is-key-id-ed25519-1", "entity-is-key-other-id", "bare-string", "server-name"},
			func(r *Readings) *Reading { return &r.SignatureEntity }},
		{"signing/server-signatures", of{"none", "origin-only", "resident-on-joins", "origin-and-resident"},
			func(r *Readings) *Reading { return &r.ServerSignatures }},
		{"signing/rejects-noncanonical",
			of{"all-refused", "signature-accepted", "key-spelling-accepted", "small-order-accepted", "several-accepted"},
			func(r *Readings) *Reading { return &r.NonCanonical }},
		{"event-format/no-origin", of{"absent", "server-name", "sender-key"},
			func(r *Readings) *Reading { return &r.Origin }},
		{"event-format/room-id", of{"names-server", "opaque"},
			func(r *Readings) *Reading { return &r.RoomID }},
		{"event-format/widget-creator", of{"replaced-by-key", "user-id-kept", "removed", "refused"},
			func(r *Readings) *Reading { return &r.WidgetCreator }},
		{"redaction/sender-key-kept", of{"kept", "removed"},
			func(r *Readings) *Reading { return &r.RedactedSenderKey }},

		{"auth/rules-by-domain", of{"by-mapping", "not-applied"},
			func(r *Readings) *Reading { return &r.ByDomain }},
		{"auth/rules-by-sigil", of{"by-key", "by-sigil", "not-applied"},
			func(r *Readings) *Reading { return &r.BySigil }},

		{"mapping/in-leave-ban-knock", of{"own-only", "none", "all"},
			func(r *Readings) *Reading { return &r.InLeaveBanKnock }},
		{"mapping/unproven-handling", of{"refused", "dropped", "placeholder", "accepted-hidden"},
			func(r *Readings) *Reading { return &r.UnprovenHandling }},
		{"mapping/replayed-into-another-room", of{"honoured", "refused", "not-honoured"},
			func(r *Readings) *Reading { return &r.Replayed }},
		{"mapping/expired-server-key", of{"placeholder", "honoured", "refused"},
			func(r *Readings) *Reading { return &r.ExpiredServerKey }},
		// Under the same key ID nothing tells that the key was replaced, until the document is fetched again.
		{"mapping/server-key-replaced", of{"other-id-not-honoured", "honoured"},
			func(r *Readings) *Reading { return &r.ReplacedKey }},
		{"mapping/extra-signatures", of{"ignored", "verifiable-only", "refused"},
			func(r *Readings) *Reading { return &r.ExtraSignatures }},
		{"mapping/delivered-by-third-server", of{"transaction-only", "accepted", "send-join-only", "refused"},
			func(r *Readings) *Reading { return &r.ThirdServer }},
		{"mapping/two-keys-one-user", of{"newer-shown", "older-shown", "both-shown", "placeholder", "refused"},
			func(r *Readings) *Reading { return &r.SecondKey }},
		{"mapping/user-of-server-set-up-anew", of{"newer-shown", "older-shown", "both-shown", "placeholder", "refused"},
			func(r *Readings) *Reading { return &r.SecondKey }},
		{"sender-key/rotation", of{"newer-shown", "older-shown", "both-shown", "placeholder", "refused"},
			func(r *Readings) *Reading { return &r.SecondKey }},
		{"sender-key/ban-evaded-by-new-key", of{"refused", "accepted"},
			func(r *Readings) *Reading { return &r.BanEvasion }},

		{"unverified/placeholder-form", of{"legal-form", "to-the-letter", "legal-not-unique", "no-placeholder"},
			func(r *Readings) *Reading { return &r.PlaceholderForm }},
		{"unverified/namespace", of{"reserved", "free"},
			func(r *Readings) *Reading { return &r.PlaceholderNames }},
		{"unverified/requests-stay-home", of{"retry-verification", "stay-home", "leave"},
			func(r *Readings) *Reading { return &r.PlaceholderRequests }},
		{"unverified/mapping-in-content", of{"removed", "served"},
			func(r *Readings) *Reading { return &r.UnverifiedInContent }},
		// The letter is "placeholder-stays": events sent before the verification show the placeholder (MSC4014, Changes
		// 6.2). The default shows one user under one name in every view that clients fetch later, as unchanged clients
		// expect; what they were sent before stays as it was.
		{"unverified/earlier-events", of{"true-user-id", "placeholder-stays"},
			func(r *Readings) *Reading { return &r.EarlierEvents }},
		{"unverified/notary", of{"not-asked", "taken", "not-taken"},
			func(r *Readings) *Reading { return &r.Notary }},
		{"unverified/sliding-sync", of{"no-sliding-sync", "room-invalidated", "member-resent", "nothing-told"},
			func(r *Readings) *Reading { return &r.SlidingSync }},

		{"client-view/mapping-present", of{"every-view", "no-view"},
			func(r *Readings) *Reading { return &r.MappingPresent }},
		{"client-view/sender-key-elsewhere", of{"both", "stripped-state-only", "push-only", "neither"},
			func(r *Readings) *Reading { return &r.KeyElsewhere }},
		// The readings of this one and the next that put a user ID, or another user's key, where rules 8 and 9.3 refuse it,
		// change these rules, too (rules/identity.go).
		{"client-view/power-levels-before-join", of{"applied-on-join", "refused", "dropped", "user-id-on-wire", "user-id-and-power", "key-made-early"},
			func(r *Readings) *Reading { return &r.PowerBeforeJoin }},
		{"client-view/state-key-before-join", of{"refused", "user-id-on-wire", "key-made-early"},
			func(r *Readings) *Reading { return &r.StateKeyBeforeJoin }},
		{"client-view/power-of-unknown-key", of{"user-id-shown-and-lost", "key-shown-and-kept", "hidden-and-lost"},
			func(r *Readings) *Reading { return &r.UnknownPower }},
		// Only its own server can make a user's key: a ban holds for local users at most.
		{"membership/ban-before-join", of{"refused", "no-effect", "differs-by-user"},
			func(r *Readings) *Reading { return &r.BanBeforeJoin }},
		{"membership/make-template", of{"differs-by-endpoint", "asked-by-user-id-named", "asked-by-user-id-blank", "asked-by-key"},
			func(r *Readings) *Reading { return &r.MakeTemplate }},
		{"membership/third-party-invite", of{"cannot-be-redeemed", "refused"},
			func(r *Readings) *Reading { return &r.ThirdPartyInvite }},

		{"invite/endpoint", of{"v3-room-user", "v3-event-user"},
			func(r *Readings) *Reading { return &r.InviteEndpoint }},
		{"invite/unknown-user", of{"refused", "completed"},
			func(r *Readings) *Reading { return &r.UnknownInvited }},
		{"redaction/mapping-field-to-peers", of{"clients-and-peers", "clients-only", "peers-only", "nobody"},
			func(r *Readings) *Reading { return &r.RedactedMapping }},
		{"redaction/later-joiner-resolves", of{"resolves", "placeholder"},
			func(r *Readings) *Reading { return &r.LaterJoiner }},
		{"redaction/other-key-same-server", of{"refused", "accepted"},
			func(r *Readings) *Reading { return &r.SameServerRedaction }},
		{"redaction/deactivation", of{"mapping-removed", "mapping-stays"},
			func(r *Readings) *Reading { return &r.Deactivation }},
		// The other way is none at all, which "mapping-stays" of redaction/deactivation is, too.
		{"redaction/every-member-event", of{"deactivation-every", "no-way"},
			func(r *Readings) *Reading { return &r.TakenAway }},
		// "user-id-gone" breaks hard requirement 1: clients cannot tell who left, or whom to unban.
		{"redaction/leave-and-mapping", of{"user-id-for-all", "user-id-for-present", "user-id-gone"},
			func(r *Readings) *Reading { return &r.LeftMapping }},
		{"routing/alias-servers", of{"verified-only", "unproven-included", "own-only"},
			func(r *Readings) *Reading { return &r.AliasServers }},
		{"routing/look-ups-bounded", of{"fewer-than-members", "one-a-member"},
			func(r *Readings) *Reading { return &r.LookUps }},
		{"routing/acl-and-claims", of{"never", "proven-only"},
			func(r *Readings) *Reading { return &r.ACLAndClaims }},
	}
}

// DefaultReadings returns the readings that a server follows unless configured otherwise: the first of each. In the
// deployed dialect they are what deployed servers do, where that is visible on the wire.
func DefaultReadings(dialect pdu.Dialect) Readings {
	var readings Readings
	for _, offer := range Offers() {
		*offer.field(&readings) = offer.Readings[0]
	}
	if dialect == pdu.DialectDendrite {
		readings.Origin = "sender-key"
		readings.WidgetCreator = "user-id-kept"
	}
	return readings
}

// Set chooses a reading of a requirement. It returns an error if this package does not decide the requirement, or does
// not offer the reading.
func (r *Readings) Set(requirement string, reading Reading) error {
	for _, offer := range Offers() {
		if offer.Requirement != requirement {
			continue
		}
		if !slices.Contains(offer.Readings, reading) {
			return fmt.Errorf("reading %q of %s is not offered; offered are %q", reading, requirement, offer.Readings)
		}
		*offer.field(r) = reading
		return nil
	}
	return fmt.Errorf("no reading is offered of requirement %q", requirement)
}

// OneDecision reports whether two requirements are one decision, so that they cannot be read differently.
func OneDecision(requirement, other string) bool {
	var r Readings
	fields := map[*Reading]bool{}
	for _, offer := range Offers() {
		if offer.Requirement == requirement || offer.Requirement == other {
			fields[offer.field(&r)] = true
		}
	}
	return len(fields) == 1
}

// Get returns the reading of a requirement, and whether this package decides it.
func (r *Readings) Get(requirement string) (Reading, bool) {
	for _, offer := range Offers() {
		if offer.Requirement == requirement {
			return *offer.field(r), true
		}
	}
	return "", false
}
