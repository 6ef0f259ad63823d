// Package pseudonym implements MSC4014 (pseudonymous identities): the decisions that a homeserver makes differently in a
// room whose senders are keys, and nothing else. Those about the authorisation rules are in reference/rules. It does no networking, storage or HTTP; a server passes it events and
// small interfaces, and stores the results.
//
// Read it in this order:
//
//	readings.go     what the text leaves open, and how it may be read
//	rules.go        what a server follows: a dialect, its name, and its readings
//	object.go       JSON objects, kept as they were written
//	keys.go         a user has one key in a room, for good
//	event.go        events name the key as their sender and are signed by it
//	receive.go      how a server that receives an event verifies that
//	noncanonical.go which spellings of keys and signatures are valid
//	mapping.go      member events map the key to a user ID, signed by the user's server
//	judge.go        whether such a mapping is valid
//	handling.go     what becomes of a member event once its mapping is judged
//	directory.go    which user a key belongs to, as far as the server knows
//	lookup.go       the user of a key, and the key of a user
//	placeholder.go  the name of a user that cannot be verified
//	clientview.go   what clients are shown: user IDs
//	clientwrite.go  what becomes of the user IDs that clients write
//	invite.go       inviting a user whose key is not known yet
//	redaction.go    the two kinds of redaction
//	routing.go      which servers are in a room
//	restricted.go   joins that a member authorises
//	template.go     who stands in the templates of member events
//
// The comment of each function gives the sentence that it is based on, in our own words, with its section. "MSC4014,
// Changes 6" is the sixth item of "Changes from MSC1228"; sub-items follow a full stop. What MSC4014 does not change is
// MSC1228's. Where both leave something open, Readings has the reading that is followed.
//
// Events are parsed by reference/pdu. Functions neither keep nor change the byte slices that they are given.
package pseudonym
