// Package rules decides what may happen in a room: it checks the events of ordinary rooms on receipt, applies the
// authorisation rules and resolves conflicting state, for room versions 10 and 11 and for pseudonymous rooms (MSC4014) in
// both wire dialects. It does no I/O, and its values are immutable.
//
// There is one set of rules for all versions. For most of them MSC4014 only replaces the user ID by a sender key, so a
// rule reads the same in both kinds of room; the few that need the domain or the sigil of a user ID are in identity.go,
// each with the sentence that it is based on. What a sender key is, and whether it signed an event, is for
// reference/pseudonym to decide. The rules are not gomatrixserverlib's, because those ask for a user ID behind every
// sender (MSC4014 accepts an event whose user ID is not known), read it from unverified mappings, do not check the
// signature of the key that authorises a restricted join, and refuse a create event without a creator; resolve.go says
// what is wrong with its state resolution. The tests compare the two, and say why where they differ.
package rules
