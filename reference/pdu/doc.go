// Package pdu has the events that servers exchange, PDUs (server-server API, "PDUs"), in rooms of versions 10 and 11 and in
// pseudonymous ones (MSC4014): how they are spelled, hashed, redacted and signed.
//
// An event is parsed when it arrives, is built or is loaded. From then on it is handed around as an *Event, and its bytes
// are read again only to add a signature. What an event may do is decided elsewhere: reference/pseudonym and reference/rules.
//
// Read it in this order:
//
//	event.go      a parsed event
//	stripped.go   what it has in common with the stripped events that invited users are sent
//	mapping.go    the mapping from a sender key to a user ID in a member event
//	format.go     how the events of a room version are spelled
//	canonical.go  canonical JSON (appendices, "Canonical JSON")
//	redact.go     what redaction keeps (room versions 10 and 11, "Redactions")
//	hash.go       the two hashes of an event, and its ID (server-server API, "Signing Events")
//	signjson.go   signatures of JSON objects (appendices, "Signing JSON")
//	sign.go       signatures of events, over what redaction keeps
//	object.go     JSON objects, for the other files
//
// Canonical JSON and signatures are gomatrixserverlib's where it does as the specification says; library_test.go has the
// cases where it does not, and canonical.go and signjson.go what is done instead. Redaction and hashes are written from
// the specification.
//
// Functions that take the bytes of an event neither keep nor change them. All but the lenient ones, ParseStripped and
// Format.Sender, return an error for everything that CanonicalJSON refuses.
package pdu
