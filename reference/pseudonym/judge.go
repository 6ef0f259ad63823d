package pseudonym

// This file judges the mapping in a member event.

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// ErrNoSuchKey reports that a server, or a notary on its behalf, was asked and publishes no key under that ID.
var ErrNoSuchKey = errors.New("the server publishes no such key")

// PublishedKey is a server's signing key. ValidUntil is in milliseconds: valid_until_ts, or expired_ts of an old key.
type PublishedKey struct {
	Key        ed25519.PublicKey
	ValidUntil int64
}

// KeySource looks up the keys that servers publish. The error is ErrNoSuchKey if the server has none under that ID; any
// other error means that the key is unavailable for now. A source should give up quickly, since joins wait for it
// ("with a shortish timeout", MSC1228, Implementation).
type KeySource interface {
	ServerKey(serverName, keyID string) (PublishedKey, error)
}

// Verdict is the outcome of judging a mapping.
type Verdict int

const (
	Wrong      Verdict = iota // known to be false: refuse the event
	Unverified                // cannot be verified for now: accept the event, and show a placeholder
	Verified
)

// Cause is why a mapping is not verified.
type Cause string

const (
	NoCause         Cause = ""
	Redacted        Cause = "redacted"            // the event was redacted, and the mapping with it
	Missing         Cause = "missing"             // there is no mapping
	Malformed       Cause = "malformed"           // it is not a mapping in the room's dialect
	OtherKey        Cause = "other key"           // it names another key than the member's
	Unsigned        Cause = "unsigned"            // it has no signature
	ForeignSigned   Cause = "foreign signature"   // it is signed, but not by the user ID's domain
	UnknownKeyID    Cause = "unknown key ID"      // the domain publishes no such key
	BadSignature    Cause = "bad signature"       // the signature does not verify under the domain's key
	KeysUnavailable Cause = "keys unavailable"    // the domain's keys are unavailable for now
	ExpiredKey      Cause = "expired key"         // the domain's key had expired when the event was made
	ExtraSignature  Cause = "extra signature"     // another server signed it too, and the reading refuses that
	ReplayedMapping Cause = "replayed"            // it was seen in another room, and the reading refuses that
	NotAMemberKey   Cause = "no member event key" // the event is not a member event, or its state key is not a sender key
)

// Judgement is a verdict on the mapping of one member event.
type Judgement struct {
	Verdict Verdict
	Cause   Cause
	Mapping pdu.Mapping // if it could be parsed
	Err     error       // why, unless verified
}

// Retry reports whether judging again later may give another verdict.
func (j Judgement) Retry() bool { return j.Verdict == Unverified && j.Cause == KeysUnavailable }

// Judge judges the mapping in a member event.
//
// The mapping contains the sender key, the user ID, and critically a signature from the domain part of the user ID, so
// that the link cannot be spoofed by any random server (MSC4014, Proposal 4 and 4.1). We make an attempt to verify it;
// if the signature is wrong, we reject the event; if we cannot get the key, we handle it as normal and retry later
// (MSC1228, Implementation). Then the user ID is unverified (MSC4014, Proposal 4.2), and the event is accepted (Changes
// 6).
//
// Receive must have checked the event first: otherwise the mapping is not known to come from the key that it names.
func (r Rules) Judge(event *pdu.Event, keys KeySource) Judgement {
	j := r.JudgeStripped(&event.Stripped, keys)
	if j.Cause == Missing && looksRedacted(event) {
		return Judgement{Verdict: Unverified, Cause: Redacted, Err: errors.New("the member event was redacted, and no longer has a mapping")}
	}
	return j
}

// JudgeStripped judges the mapping in a stripped member event, such as come with an invite. Nothing in it is signed but
// the mapping.
func (r Rules) JudgeStripped(event *pdu.Stripped, keys KeySource) Judgement {
	fail := func(c Cause, m pdu.Mapping, err error) Judgement { return Judgement{Wrong, c, m, err} }
	var none pdu.Mapping
	member, isMember := event.Member()
	if !isMember || !validKey(member) {
		return fail(NotAMemberKey, none, errors.New("the event is not a member event of a sender key"))
	}
	mapping, present, err := event.Mapping()
	if !present {
		return fail(Missing, none, fmt.Errorf("the member event of %s has no %s", member, pdu.MappingField))
	}
	if err != nil {
		return fail(Malformed, none, err)
	}
	if mapping.Dialect != r.Dialect {
		return fail(Malformed, mapping, fmt.Errorf("the mapping names its key by %q, here it is %q",
			mapping.Dialect.MappingKeyField(), r.Dialect.MappingKeyField()))
	}
	if string(mapping.Key) != member { // otherwise anyone who has seen a mapping could take its user's name
		return fail(OtherKey, mapping, fmt.Errorf("the mapping is of key %s, the member event of %s", mapping.Key, member))
	}
	return r.judgeSignatures(mapping, event.OriginServerTS(), keys)
}

// judgeSignatures judges the signatures of a mapping that is well-formed and names the right key. at is the time of its
// event.
func (r Rules) judgeSignatures(m pdu.Mapping, at int64, keys KeySource) Judgement {
	domain, err := identity.UserIDDomain(m.UserID)
	if err != nil {
		return Judgement{Wrong, Malformed, m, err}
	}
	o, err := parseObject(m.Raw, "a mapping")
	if err != nil {
		return Judgement{Wrong, Malformed, m, err}
	}
	signatures := o.child("signatures")
	if _, there := o["signatures"]; there && signatures == nil {
		return Judgement{Wrong, Malformed, m, errors.New("the signatures of the mapping are not an object")}
	}
	lookup := keyLookup{rules: r, source: keys, at: at}
	err = pdu.VerifyMapping(m, lookup.key)
	switch {
	case err == nil:
		return r.judgeFurtherSignatures(m, signatures, domain, keys)
	case len(signatures) == 0:
		return Judgement{Wrong, Unsigned, m, err}
	case errors.Is(err, pdu.ErrNoSignature):
		return Judgement{Wrong, ForeignSigned, m, err}
	case signatures.child(domain) == nil:
		return Judgement{Wrong, Malformed, m, err}
	case lookup.unavailable:
		return Judgement{Unverified, KeysUnavailable, m, err}
	case lookup.expired && r.Readings.ExpiredServerKey == "placeholder":
		return Judgement{Unverified, ExpiredKey, m, err}
	case lookup.expired:
		return Judgement{Wrong, ExpiredKey, m, err}
	case lookup.unknown:
		return Judgement{Wrong, UnknownKeyID, m, err}
	default:
		return Judgement{Wrong, BadSignature, m, err}
	}
}

// keyLookup looks up keys and remembers why one was unavailable.
type keyLookup struct {
	rules                         Rules
	source                        KeySource
	at                            int64
	unavailable, expired, unknown bool
}

// key returns the server key for a mapping whose event was made at l.at. Whether an expired key counts is open
// (mapping/expired-server-key); room versions 5 and later do not accept one for events.
func (l *keyLookup) key(serverName, keyID string) (ed25519.PublicKey, error) {
	published, err := l.source.ServerKey(serverName, keyID)
	switch {
	case errors.Is(err, ErrNoSuchKey):
		l.unknown = true
		return nil, err
	case err != nil:
		l.unavailable = true
		return nil, err
	case published.ValidUntil < l.at && l.rules.Readings.ExpiredServerKey != "honoured":
		l.expired = true
		return nil, fmt.Errorf("key %s of %s was valid until %d, the event was made at %d", keyID, serverName, published.ValidUntil, l.at)
	}
	return published.Key, nil
}

// judgeFurtherSignatures judges a mapping that its domain signed by the signatures of other servers on it
// (mapping/extra-signatures). By default they are ignored: the text asks for the domain's alone.
func (r Rules) judgeFurtherSignatures(m pdu.Mapping, signatures object, domain string, keys KeySource) Judgement {
	if r.Readings.ExtraSignatures == "ignored" {
		return Judgement{Verdict: Verified, Mapping: m}
	}
	for server := range signatures {
		if server == domain {
			continue
		}
		if r.Readings.ExtraSignatures == "refused" {
			return Judgement{Wrong, ExtraSignature, m, fmt.Errorf("%s signed the mapping too", server)}
		}
		for keyID := range signatures.child(server) {
			published, err := keys.ServerKey(server, keyID)
			if err != nil && !errors.Is(err, ErrNoSuchKey) {
				return Judgement{Unverified, KeysUnavailable, m, err}
			}
			if err == nil {
				err = pdu.VerifyJSON(m.Raw, server, keyID, published.Key)
			}
			if err != nil {
				return Judgement{Wrong, ExtraSignature, m, err}
			}
		}
	}
	return Judgement{Verdict: Verified, Mapping: m}
}

// looksRedacted reports whether an event is the redacted form of another: its content hash does not match, and
// redaction would remove nothing from its content. A member event that was made without a mapping, with a wrong hash,
// cannot be told from that, and is accepted too: it gains nothing, since no user ID is shown for it.
func looksRedacted(event *pdu.Event) bool {
	if !errors.Is(event.CheckContentHash(), pdu.ErrContentHash) {
		return false
	}
	redacted, err := event.Redacted()
	return err == nil && len(redacted.Contents()) == len(event.Contents())
}
