package pseudonym

// This file looks up which user a key belongs to, and which key a user has, in a room's directory.

import (
	"cmp"
	"slices"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// Names is what the client views of a room need to know about its members. Directory implements it.
type Names interface {
	// UserID returns the user ID that clients see for a key; it is never empty, and a placeholder for an unknown key.
	UserID(key identity.SenderKey) string
	// Verified returns the user ID of a key's verified mapping, if there is one.
	Verified(key identity.SenderKey) (userID string, ok bool)
	// Knows reports whether a key is, or was, a member's.
	Knows(key identity.SenderKey) bool
	// Key returns the key of the member that clients know by a user ID, which may be a placeholder.
	Key(userID string) (key identity.SenderKey, ok bool)
}

var _ Names = (*Directory)(nil)

// UserID returns the user ID that clients see for a key: the true one once it is verified, and a placeholder until then
// (MSC4014, Changes 5 and 6).
func (d *Directory) UserID(key identity.SenderKey) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if entry, ok := d.entries[key]; ok {
		return d.shown(entry)
	}
	return d.rules.PlaceholderOfKey(key)
}

// At returns the names as shown in an event at a position in the server's own order. Events sent before the
// verification will show the placeholder, events after it the true user ID (MSC4014, Changes 6.2). Whether this means
// only what clients have already been sent, or also what they fetch later, is unverified/earlier-events.
// A member event is sent again once the user ID is verified, with the correct one (MSC4014, Changes 6.2), so it always
// shows that.
func (d *Directory) At(position int64) Names { return namesAt{Directory: d, position: position} }

type namesAt struct {
	*Directory
	position      int64
	inMemberEvent bool
}

// inEvent returns names as shown in an event.
func inEvent(event *pdu.Event, names Names) Names {
	if at, ok := names.(namesAt); ok {
		_, at.inMemberEvent = event.Member()
		return at
	}
	return names
}

// UserID returns the user ID that clients see for a key in an event at the position.
func (n namesAt) UserID(key identity.SenderKey) string {
	n.mu.RLock()
	entry, ok := n.entries[key]
	n.mu.RUnlock()
	if n.inMemberEvent {
		n.position = max(n.position, entry.VerifiedAt)
	}
	if ok && n.rules.Readings.EarlierEvents == "placeholder-stays" && n.position < entry.VerifiedAt && entry.Since < entry.VerifiedAt && entry.Placeholder != "" {
		return entry.Placeholder
	}
	return n.Directory.UserID(key)
}

// Verified returns the user ID of a key's verified mapping, if there is one.
func (d *Directory) Verified(key identity.SenderKey) (string, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if entry := d.entries[key]; entry.Verified != nil {
		return entry.Verified.UserID, true
	}
	return "", false
}

// VerifiedDomain returns the domain of a key's verified mapping, if there is one.
func VerifiedDomain(key identity.SenderKey, names Names) (string, bool) {
	userID, ok := names.Verified(key)
	if !ok {
		return "", false
	}
	domain, err := identity.UserIDDomain(userID)
	return domain, err == nil
}

// Knows reports whether a key is, or was, a member's.
func (d *Directory) Knows(key identity.SenderKey) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	_, ok := d.entries[key]
	return ok
}

// Key returns the key of the member that clients know by a user ID, or knew: a client may still have the placeholder of a
// member that has been verified since. A user should have one key in a room (MSC4014, Proposal 3.2). If it has several,
// those of present members come first, then the newer one, or the older one under other readings of
// mapping/two-keys-one-user.
func (d *Directory) Key(userID string) (identity.SenderKey, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var found, former []Entry
	for _, entry := range d.entries {
		if d.shown(entry) == userID {
			found = append(found, entry)
		} else if entry.Verified != nil && entry.Placeholder != "" && entry.Placeholder == userID {
			former = append(former, entry)
		}
	}
	if len(found) == 0 {
		found = former
	}
	if len(found) == 0 {
		return "", false
	}
	slices.SortFunc(found, d.first)
	return found[0].Key, true
}

// first orders the entries of one user, with the one that counts first.
func (d *Directory) first(a, b Entry) int {
	newer := compareAge(b, a)
	if d.rules.Readings.SecondKey != "newer-shown" {
		newer = -newer
	}
	return cmp.Or(cmp.Compare(rank(a.Membership), rank(b.Membership)), newer, cmp.Compare(a.Key, b.Key))
}

// compareAge orders entries by when their keys became known, the oldest first. A server that joins a room learns of all
// members at one position, in the order of their member events.
func compareAge(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Order, b.Order))
}

// rank orders memberships by how present the member is; a ban comes before a leave.
func rank(membership string) int {
	i := slices.Index([]string{membershipJoin, membershipInvite, membershipKnock, membershipBan, membershipLeave}, membership)
	if i < 0 {
		return 5
	}
	return i
}

// Shown reports whether clients see the member of a key as one of the room's. Some readings of
// mapping/two-keys-one-user hide the further keys of a user.
func (d *Directory) Shown(key identity.SenderKey) bool {
	d.mu.RLock()
	entry, known := d.entries[key]
	d.mu.RUnlock()
	if !known || entry.Concealed || entry.Placeholder == "" && entry.Verified == nil {
		return false
	}
	if d.rules.Readings.SecondKey == "both-shown" {
		return true
	}
	shown, _ := d.Key(d.UserID(key))
	return shown == key
}

// second reports whether a verified entry is still shown by a placeholder because another key of the user came first.
func (d *Directory) second(entry Entry) bool {
	if d.rules.Readings.SecondKey != "placeholder" {
		return false
	}
	for _, other := range d.entries {
		if other.Key != entry.Key && other.Verified != nil && other.Verified.UserID == entry.Verified.UserID && compareAge(other, entry) < 0 {
			return true
		}
	}
	return false
}

// Admits reports whether a user may enter with a key, given the user's other keys in the room. A key should not change,
// since that would enable bans to be evaded, but it may, since keys can be compromised (MSC4014, Proposal 3.2). By
// default a ban of one key keeps out the user's other keys (sender-key/ban-evaded-by-new-key); under the reading
// "refused" of sender-key/rotation so does another joined key. It is only for a server's own decision before it makes
// or accepts a join: the authorisation rules know keys alone.
func (d *Directory) Admits(userID string, key identity.SenderKey) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, entry := range d.entries {
		if entry.Key == key || entry.Verified == nil || entry.Verified.UserID != userID {
			continue
		}
		banned := entry.Membership == membershipBan && d.rules.Readings.BanEvasion == "refused"
		joined := entry.Membership == membershipJoin && d.rules.Readings.SecondKey == "refused"
		if banned || joined {
			return false
		}
	}
	return true
}

// Entries returns all entries, sorted by key.
func (d *Directory) Entries() []Entry {
	d.mu.RLock()
	defer d.mu.RUnlock()
	entries := make([]Entry, 0, len(d.entries))
	for _, entry := range d.entries {
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Key, b.Key) })
	return entries
}

// Pending returns the entries whose mapping waits for a server's keys, to be verified again (MSC1228, Implementation).
func (d *Directory) Pending() []Entry {
	return slices.DeleteFunc(d.Entries(), func(e Entry) bool { return e.Pending == nil })
}
