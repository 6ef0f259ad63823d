// Package pseudoid is the oracle: it verifies and builds events of rooms with pseudonymous identities (MSC4014).
//
// It implements sender keys, mappings of keys to user IDs, canonical JSON, content and reference hashes, event IDs, redaction and
// signatures, in the proposed and in the deployed dialect (Dialect). It shares no code with the servers that it judges: it is
// written from the Matrix specification and the proposal, imports nothing of this project and no Matrix library, and is strict
// where servers tend to be lenient.
//
// Functions neither keep nor change their arguments, and are safe for concurrent use.
package pseudoid
