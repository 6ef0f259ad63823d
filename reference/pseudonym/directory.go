package pseudonym

// This file keeps, for one room, which user each key stands for, as far as the server knows by now.

import (
	"bytes"
	"encoding/json"
	"sync"

	"msc4014/helpers/pseudoid"
)

// Claim is a mapping that a member event made.
type Claim struct {
	UserID  string          `json:"user_id"`
	Mapping json.RawMessage `json:"mapping"`
	EventID string          `json:"event_id"`
}

// Entry is what is known of one key in a room. For each there are zero or one verified mappings, and zero or one
// incomplete ones (MSC1228, Implementation). A server stores it as it is.
type Entry struct {
	Key         pseudoid.SenderKey `json:"key"`
	Verified    *Claim             `json:"verified,omitempty"`
	Pending     *Claim             `json:"pending,omitempty"`
	Placeholder string             `json:"placeholder,omitempty"` // its name while nothing is verified
	Membership  string             `json:"membership,omitempty"`  // in the current state
	MemberEvent string             `json:"member_event,omitempty"`
	WasJoined   bool               `json:"was_joined,omitempty"` // now or ever
	Since       int64              `json:"since"`                // the position at which the key was first a member, in the server's own order
	VerifiedAt  int64              `json:"verified_at"`          // the position at which a mapping was first verified
	Concealed   bool               `json:"concealed,omitempty"`
}

// Seen is a member event that has been judged and accepted.
type Seen struct {
	Key        pseudoid.SenderKey // its state key
	EventID    string
	Membership string
	Current    bool  // it is the room's current state for its key
	Position   int64 // of the event in the server's own order
	Judgement  Judgement
	Concealed  bool // Handle said Conceal
}

// Change is what an event, or a verification, changed. The server stores Entry whenever there is one.
type Change struct {
	Entry Entry
	// Resend is the member event to send to clients again, or "": if the server successfully verifies the user ID at a
	// later date, it should resend the member event, with the correct user ID (MSC4014, Changes 6.2).
	Resend string
}

// Directory holds the entries of one room. It may be used from several goroutines.
type Directory struct {
	rules   Rules
	mu      sync.RWMutex
	entries map[pseudoid.SenderKey]Entry
}

// NewDirectory returns the directory of a room with what was stored of it.
func NewDirectory(rules Rules, stored ...Entry) *Directory {
	d := &Directory{rules: rules, entries: map[pseudoid.SenderKey]Entry{}}
	for _, entry := range stored {
		d.entries[entry.Key] = entry
	}
	return d
}

// Learn takes in a member event.
//
// Only the most recent mapping of a key counts, more accurately the one in the current room state (MSC1228,
// Implementation, footnote 2). A newer one cancels the pending verification of any before it; one that was verified
// remains in place until another becomes available. Of old events that arrive late, by backfill, the mapping is ignored
// where there is one already.
func (d *Directory) Learn(seen Seen) Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry, known := d.entries[seen.Key]
	if !known {
		entry = Entry{Key: seen.Key, Since: seen.Position}
	}
	before := d.shown(entry)
	if seen.Current {
		entry.Membership, entry.MemberEvent, entry.Concealed = seen.Membership, seen.EventID, seen.Concealed
	}
	entry.WasJoined = entry.WasJoined || seen.Membership == membershipJoin
	if d.forgets(entry, seen) {
		return d.keep(entry, known, before, seen.Current)
	}
	newest := seen.Current && d.rules.EffectOf(seen.Membership) == Sets
	claim := &Claim{UserID: seen.Judgement.Mapping.UserID, Mapping: seen.Judgement.Mapping.Raw, EventID: seen.EventID}
	switch {
	case d.rules.EffectOf(seen.Membership) == NoEffect:
	case seen.Judgement.Verdict == Verified && (newest || entry.Verified == nil):
		entry.verify(claim, seen.Position, newest)
	case seen.Judgement.Retry() && entry.Verified.says(claim): // a profile change brings along what is known
		if newest {
			entry.Pending = nil
		}
	case seen.Judgement.Retry() && (newest || entry.Verified == nil && entry.Pending == nil):
		entry.Pending = claim
	}
	entry.Placeholder = d.placeholder(entry, seen.Judgement)
	return d.keep(entry, known, before, seen.Current)
}

// verify gives an entry its verified mapping. One that is not the newest leaves a newer one pending.
func (e *Entry) verify(claim *Claim, position int64, newest bool) {
	if e.Verified == nil {
		e.VerifiedAt = position
	}
	e.Verified = claim
	if newest {
		e.Pending = nil
	}
}

// says tells whether a claim is of the very same mapping.
func (c *Claim) says(other *Claim) bool {
	if c == nil {
		return false
	}
	mine, err := pseudoid.CanonicalJSON(c.Mapping)
	if err != nil {
		return false
	}
	theirs, err := pseudoid.CanonicalJSON(other.Mapping)
	return err == nil && bytes.Equal(mine, theirs)
}

// Settle takes in a later judgement of a pending mapping, that of the event with the ID. It changes nothing if a newer
// mapping has taken its place in the meantime: its verification is cancelled (MSC1228, Implementation).
func (d *Directory) Settle(key pseudoid.SenderKey, eventID string, j Judgement, position int64) Change {
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

// Purge takes the mapping away from a key for good, so that it shows by a placeholder: what deactivating an account does
// by default, and /redact never does (MSC4014, Addressing 3: it alters routing; redaction/deactivation).
func (d *Directory) Purge(key pseudoid.SenderKey) Change {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry, known := d.entries[key]
	if !known || d.rules.Readings.Deactivation == "mapping-stays" {
		return Change{Entry: entry}
	}
	before := d.shown(entry)
	entry.Verified, entry.Pending, entry.Placeholder = nil, nil, d.rules.keyPlaceholder(key)
	return d.keep(entry, true, before, false)
}

// keep stores an entry and tells what clients must be told. An event that is current reaches them anyway.
func (d *Directory) keep(entry Entry, known bool, before string, reachesClients bool) Change {
	d.entries[entry.Key] = entry
	change := Change{Entry: entry}
	if known && !reachesClients && before != d.shown(entry) {
		change.Resend = entry.MemberEvent
	}
	return change
}

// LooksBack tells whether a server that enters a room looks at the mappings of those who have left it: whether earlier events
// show their user IDs there is redaction/leave-and-mapping.
func (r Rules) LooksBack() bool { return r.Readings.LeftMapping != "user-id-for-present" }

// forgets tells whether the mapping in an old member event, which arrives when the member has left, is not looked at.
func (d *Directory) forgets(entry Entry, seen Seen) bool {
	return !d.rules.LooksBack() && !seen.Current && entry.Verified == nil && entry.left()
}

// left tells whether an entry is of one who was a member.
func (e Entry) left() bool { return e.Membership == membershipLeave || e.Membership == membershipBan }

// shown returns the user ID of an entry that clients see.
func (d *Directory) shown(entry Entry) string {
	switch {
	case d.rules.Readings.LeftMapping == "user-id-gone" && entry.left():
		return d.rules.keyPlaceholder(entry.Key)
	case entry.Verified != nil && !d.second(entry):
		return entry.Verified.UserID
	case entry.Placeholder != "":
		return entry.Placeholder
	}
	return d.rules.PlaceholderOfKey(entry.Key)
}

// placeholder returns the name of an entry while nothing is verified: the one that it has, as long as the claim is the
// same, and else one that nobody in the room has.
func (d *Directory) placeholder(entry Entry, j Judgement) string {
	claimed := j.Mapping.UserID
	switch {
	case entry.Verified != nil && (entry.Placeholder != "" || !d.second(entry)):
		return entry.Placeholder
	case entry.Verified != nil:
		claimed = entry.Verified.UserID
	case entry.Pending != nil:
		claimed = entry.Pending.UserID
	case j.Verdict == Wrong || claimed == "": // a lie does not even name a placeholder
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
