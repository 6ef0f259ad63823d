// Package pseudoid is the oracle: it judges the events of rooms with pseudonymous identities (MSC4014), and makes them.
//
// It knows sender keys, mappings of keys to user IDs, canonical JSON, content and reference hashes, event IDs,
// redaction and signatures, in the spelling of the proposal and in the deployed one (Dialect). It shares no code with
// the servers that it judges: it is written from the Matrix specification and the proposal, imports nothing of this
// project and no Matrix library, and refuses what the specification refuses where servers tend to be lenient.
//
// Functions neither keep nor change the byte slices that they are given, and all of them may be called from several
// goroutines at once.
package pseudoid
