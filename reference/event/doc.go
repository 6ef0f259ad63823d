// Package event is what events are on the wire, in rooms of versions 10 and 11 and in pseudonymous ones (MSC4014): names
// of fields (Format), canonical JSON, hashes and event IDs, redaction, and signatures.
//
// Read it in this order:
//
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
// Events are the bytes of one JSON object. Everything that CanonicalJSON refuses is an error for all functions that
// return one. Functions neither keep nor change the byte slices that they are given.
package event
