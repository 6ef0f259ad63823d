package pseudonym

// This file keeps, for one room, which user each key belongs to, as far as the server knows.

import (
	"bytes"
	"encoding/json"
	"sync"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// Claim is the mapping in a member event.
type Claim struct {
	UserID  string          `json:"user_id"`
	Mapping json.RawMessage `json:"mapping"`
	EventID string          `json:"event_id"`
}

// Entry is what a server knows about one key in a room, in the form it is stored in. For each key there are zero or one
// verified mappings, and zero or one incomplete ones (MSC1228, Implementation).
type Entry struct {
	Key         identity.SenderKey `json:"key"`
	Verified    *Claim             `json:"verified,omitempty"`
	Pending     *Claim             `json:"pending,omitempty"`
	Placeholder string             `json:"placeholder,omitempty"` // shown while nothing is verified
	Membership  string             `json:"membership,omitempty"`  // in the current state
	MemberEvent string             `json:"member_event,omitempty"`
	WasJoined   bool               `json:"was_joined,omitempty"` // now or ever
	Since       int64              `json:"since"`                // the position, in the server's own order, at which the key first became a member
	Order       int                `json:"order"`                // how many keys of the room were known before: many can share a position
	VerifiedAt  int64              `json:"verified_at"`          // the position at which a mapping was first verified
	Concealed   bool               `json:"concealed,omitempty"`
	Purged      bool               `json:"purged,omitempty"` // Purge removed the mapping for good
}

// Seen is a member event that has been judged and accepted.
type Seen struct {
	Key        identity.SenderKey // its state key
	EventID    string
	Membership string
	Current    bool  // it is in the current state of the room
	Position   int64 // of the event, in the server's own order
	Judgement  Judgement
	Concealed  bool // Handle returned Conceal
	ByOther    bool // its sender is another than its state key, as of a kick, a ban or an invite
	// Unhashed means that the content hash does not cover the mapping: the event was redacted, or changed on its way. Any server can
	// have put in a mapping of this key to a user of its own.
	Unhashed bool
}

// Change is what an event or a verification changed. The server stores every Entry it is given.
type Change struct {
	Entry Entry
	// Resend is the ID of the member event to send to clients again, or "": if the server successfully verifies the
	// user ID at a later date, it should resend the member event, with the correct user ID (MSC4014, Changes 6.2).
	Resend string
}

// Directory holds the entries of one room. It is safe for concurrent use.
type Directory struct {
	rules   Rules
	mu      sync.RWMutex
	entries map[identity.SenderKey]Entry
}

// NewDirectory returns the directory of a room with its stored entries.
func NewDirectory(rules Rules, stored ...Entry) *Directory {
	d := &Directory{rules: rules, entries: map[identity.SenderKey]Entry{}}
	for _, entry := range stored {
		d.entries[entry.Key] = entry
	}
	return d
}

// Learn records a member event.
//
// Only the most recent mapping of a key counts, more accurately the one in the current room state (MSC1228,
// Implementation, footnote 2). A newer mapping cancels the pending verification of an earlier one; a verified one stays
// until another is verified. If the key already has a mapping, that of an old event that arrives late, by backfill, is
// ignored. So is one that the content hash does not cover: only the key may say who it stands for (MSC4014, Proposal 2).
func (d *Directory) Learn(seen Seen) Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry, known := d.entries[seen.Key]
	if !known {
		entry = Entry{Key: seen.Key, Since: seen.Position, Order: len(d.entries)}
	}
	before := d.shown(entry)
	if seen.Current {
		entry.Membership, entry.MemberEvent, entry.Concealed = seen.Membership, seen.EventID, seen.Concealed
	}
	entry.WasJoined = entry.WasJoined || seen.Membership == membershipJoin
	if d.forgets(entry, seen) {
		if entry.Placeholder == "" {
			entry.Placeholder = d.rules.PlaceholderOfKey(entry.Key)
		}
		return d.keep(entry, known, before, seen.Current)
	}
	newest := seen.Current && !seen.Unhashed && d.rules.EffectOf(seen.Membership) == Sets
	claim := &Claim{UserID: seen.Judgement.Mapping.UserID, Mapping: seen.Judgement.Mapping.Raw, EventID: seen.EventID}
	switch {
	case d.rules.EffectOf(seen.Membership) == NoEffect:
	case seen.Judgement.Verdict == Verified && (newest || entry.Verified == nil):
		entry.verify(claim, seen.Position, newest)
	case seen.Judgement.Retry() && entry.Verified.says(claim): // a profile change repeats a mapping that is already verified
		if newest {
			entry.Pending = nil
		}
	case seen.Judgement.Retry() && (newest || entry.Verified == nil && entry.Pending == nil):
		entry.Pending = claim
	case newest && !seen.Judgement.Retry() && claim.UserID != "": // a newer one that will never be verified
		entry.Pending = nil
	}
	entry.Placeholder = d.placeholder(entry, seen.Judgement)
	return d.keep(entry, known, before, seen.Current)
}

// verify sets the verified mapping of an entry. A mapping that is not the newest leaves a newer one pending.
func (e *Entry) verify(claim *Claim, position int64, newest bool) {
	if e.Verified == nil {
		e.VerifiedAt = position
	}
	e.Verified = claim
	if newest {
		e.Pending = nil
	}
}

// says reports whether two claims have the same mapping.
func (c *Claim) says(other *Claim) bool {
	if c == nil {
		return false
	}
	mine, err := pdu.CanonicalJSON(c.Mapping)
	if err != nil {
		return false
	}
	theirs, err := pdu.CanonicalJSON(other.Mapping)
	return err == nil && bytes.Equal(mine, theirs)
}

// Settle records the later judgement of a pending mapping, from the event with the given ID. It changes nothing if a
// newer mapping has replaced it in the meantime: its verification is cancelled (MSC1228, Implementation).
func (d *Directory) Settle(key identity.SenderKey, eventID string, j Judgement, position int64) Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry, known := d.entries[key]
	if !known || entry.Pending == nil || entry.Pending.EventID != eventID || j.Retry() {
		return Change{Entry: entry}
	}
	before := d.shown(entry)
	if j.Verdict == Verified {
		entry.verify(entry.Pending, position, true)
	} else {
		entry.Pending = nil
	}
	return d.keep(entry, true, before, false)
}

// Purge removes the mapping of a key for good, so that a placeholder is shown: no later event of the member brings it
// back, such as a ban. Deactivating an account does this by default; /redact never does, because it would alter routing
// (MSC4014, Addressing 3; redaction/deactivation). It is this server that forgets: what other servers know cannot be
// recalled, but they get the mapping from here no more (Purged).
func (d *Directory) Purge(key identity.SenderKey) Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry, known := d.entries[key]
	if !known || !d.rules.PurgesDeactivated() {
		return Change{Entry: entry}
	}
	before := d.shown(entry)
	entry.Verified, entry.Pending, entry.Placeholder, entry.Purged = nil, nil, d.rules.PlaceholderOfKey(key), true
	return d.keep(entry, true, before, false)
}

// PurgesDeactivated reports whether deactivating an account removes its mappings.
func (r Rules) PurgesDeactivated() bool {
	return r.Readings.Deactivation != "mapping-stays" && r.Readings.TakenAway != "no-way"
}

// Purged reports whether the mapping of a key was removed for good. Its member events are then served to peers in the
// form that redaction gives them, without the mapping, since redacting them should remove it (redaction/deactivation).
func (d *Directory) Purged(key identity.SenderKey) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.entries[key].Purged
}

// keep stores an entry and returns the change. An event in the current state reaches clients anyway, so it is not sent
// again.
func (d *Directory) keep(entry Entry, known bool, before string, reachesClients bool) Change {
	d.entries[entry.Key] = entry
	change := Change{Entry: entry}
	if known && !reachesClients && before != d.shown(entry) {
		change.Resend = entry.MemberEvent
	}
	return change
}

// UsesFormer reports whether a server that joins a room uses the mappings in former member events of users who have a
// membership now (redaction/leave-and-mapping decides whether earlier events show the user IDs of those who have left).
func (r Rules) UsesFormer(membership string) bool {
	return r.Readings.LeftMapping != "user-id-for-present" || !isOut(membership)
}

// forgets reports whether the mapping in a member event is ignored: because it was purged for good, whoever writes or
// repeats it, or because the member has left by the time an old event arrives. That goes for what others write in a kick or
// a ban, too, which need not be what the ignored join says.
func (d *Directory) forgets(entry Entry, seen Seen) bool {
	return entry.Purged ||
		entry.Verified == nil && !d.rules.UsesFormer(entry.Membership) && (!seen.Current || seen.ByOther)
}

func isOut(membership string) bool {
	return membership == membershipLeave || membership == membershipBan
}

// shown returns the user ID that clients see for an entry.
func (d *Directory) shown(entry Entry) string {
	switch {
	case d.rules.Readings.LeftMapping == "user-id-gone" && isOut(entry.Membership):
		return d.rules.PlaceholderOfKey(entry.Key)
	case entry.Verified != nil && !d.second(entry):
		return entry.Verified.UserID
	case entry.Placeholder != "":
		return entry.Placeholder
	}
	return d.rules.PlaceholderOfKey(entry.Key)
}

// placeholder returns the name of an entry while nothing is verified: its present one as long as the claim is the same,
// otherwise one that is unused in the room.
func (d *Directory) placeholder(entry Entry, j Judgement) string {
	claimed := j.Mapping.UserID
	switch {
	case entry.Verified != nil && (entry.Placeholder != "" || !d.second(entry)):
		return entry.Placeholder
	case entry.Verified != nil:
		claimed = entry.Verified.UserID
	case entry.Pending != nil:
		claimed = entry.Pending.UserID
	case j.Verdict == Wrong || claimed == "": // a claim known to be wrong is not used for a placeholder either
		if entry.Placeholder != "" {
			return entry.Placeholder
		}
		return d.rules.PlaceholderOfKey(entry.Key)
	}
	return d.rules.Placeholder(claimed, entry.Key, func(userID string) bool {
		for key, other := range d.entries {
			if key != entry.Key && (other.Placeholder == userID || other.Verified != nil && other.Verified.UserID == userID) {
				return true
			}
		}
		return false
	})
}
