// Package pseudonym is MSC4014 (pseudonymous identities) as code: every decision that a homeserver makes differently in
// a room whose senders are keys, and nothing else. It knows no network, no storage and no HTTP; a server hands it bytes
// and small interfaces, and keeps what comes back.
//
// Read it in this order:
//
//	keys.go         a user has one key in a room, for good
//	event.go        events name the key as their sender and are signed by it
//	mapping.go      member events carry the link of the key to a user ID, signed by the user's server
//	judge.go        whether such a link is to be believed
//	directory.go    which user a key stands for, as far as a server knows by now
//	placeholder.go  the name of a user who cannot be verified
//	clientview.go   what clients are shown of all this: user IDs
//	clientwrite.go  and what becomes of the user IDs that they write
//	invite.go       inviting a user whose key is not known yet
//	redaction.go    the two kinds of redaction
//	routing.go      which servers are in a room
//	restricted.go   joins that a member vouches for
//
// Each function stands under the sentence behind it, in own words, with its section. "MSC4014, Changes 6" is the sixth
// item of "Changes from MSC1228"; sub-items follow a full stop. What MSC4014 does not change is MSC1228's. Where both
// leave something open, Readings says which way is taken.
//
// Functions neither keep nor change the byte slices that they are given. Events are the bytes of one JSON object.
package pseudonym
