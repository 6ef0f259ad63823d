package pseudonym

// This file lets a member authorise a restricted join (Matrix specification, room version 8, "Restricted rooms").

import (
	"fmt"

	"msc4014/helpers/pseudoid"
)

// authorisedVia is the field of a join that names the authorising member.
const authorisedVia = "join_authorised_via_users_server"

// AuthoriseJoin sets the authorising member in the content of a join: join_authorised_via_users_server, a user ID in
// other rooms, is a sender key here (MSC4014, Additional notes).
func AuthoriseJoin(content []byte, by pseudoid.SenderKey) ([]byte, error) {
	o, err := parseObject(content, "the content of a join")
	if err != nil {
		return nil, err
	}
	o.set(authorisedVia, by)
	return o.raw(), nil
}

// SignAsAuthoriser adds the signature of the authorising member to a join. The event must be signed by the same key as
// the field has (MSC4014, Additional notes), in the place of the server which owns a user ID.
func (r Rules) SignAsAuthoriser(join []byte, key pseudoid.KeyPair) ([]byte, error) {
	named, ok := authoriser(join)
	if !ok || named != key.Public {
		return nil, fmt.Errorf("vouching for a join: its %s is %q, not the key %s that would sign", authorisedVia, named, key.Public)
	}
	return r.Sign(join, key)
}

// CheckAuthorised verifies that a join that names an authorising member is signed by its key (MSC4014, Additional
// notes). Whether a join needs one is for the join rules to decide.
func (r Rules) CheckAuthorised(join []byte) error {
	key, ok := authoriser(join)
	if !ok {
		return nil
	}
	if !validKey(string(key)) {
		return fmt.Errorf("verifying a restricted join: its %s is %q, no sender key", authorisedVia, key)
	}
	if err := r.CheckSignedBy(join, key); err != nil {
		return fmt.Errorf("verifying a restricted join by its authorising key: %w", err)
	}
	return nil
}

// authoriser returns the authorising member of a join, and whether the field is present.
func authoriser(join []byte) (pseudoid.SenderKey, bool) {
	o, err := parseObject(join, "a join")
	if err != nil {
		return "", false
	}
	content := o.child("content")
	raw, ok := content[authorisedVia]
	if !ok {
		return "", false
	}
	key, isText := content.optional(authorisedVia)
	if !isText { // malformed, so it matches no key
		return pseudoid.SenderKey(raw), true
	}
	return pseudoid.SenderKey(key), true
}

// Authoriser chooses a local user to authorise a join: a joined member that may invite, by the content of the room's
// power levels (nil if there are none; then only the creator has power).
func Authoriser(directory *Directory, own func(userID string) bool, powerLevels []byte, creator pseudoid.SenderKey) (pseudoid.SenderKey, bool) {
	for _, entry := range directory.Entries() {
		if entry.Membership != membershipJoin || entry.Verified == nil || !own(entry.Verified.UserID) {
			continue
		}
		if PowerOf(powerLevels, entry.Key, creator) >= levelFor(powerLevels, "invite", 0) {
			return entry.Key, true
		}
	}
	return "", false
}

// PowerOf returns the power level of a key by the content of the room's power levels, or nil: power is held by the key,
// and not by a user ID (MSC1228, Proposal).
func PowerOf(powerLevels []byte, key, creator pseudoid.SenderKey) int64 {
	o, err := parseObject(powerLevels, "power levels")
	if err != nil {
		if key == creator {
			return 100
		}
		return 0
	}
	if level, ok := number(o.child("users")[string(key)]); ok {
		return level
	}
	level, _ := number(o["users_default"])
	return level
}

// levelFor returns the power level that an action needs.
func levelFor(powerLevels []byte, action string, otherwise int64) int64 {
	o, err := parseObject(powerLevels, "power levels")
	if err != nil {
		return otherwise
	}
	if level, ok := number(o[action]); ok {
		return level
	}
	return otherwise
}
