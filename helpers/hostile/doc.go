// Package hostile builds member events that no correct server sends: with wrong types, absurd sizes and depths, invalid Unicode,
// numbers out of range, duplicate fields, keys of small order and non-canonical signatures. Where possible, hashes and signatures
// are valid for the hostile event, so that servers process it as far as they can.
//
// Inputs are generated from a seed. An Input is a list of changes (twists) to a valid event, which can be described in words and
// shrunk. Forge builds the event. Checks judge what servers do with it.
package hostile
