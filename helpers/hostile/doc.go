// Package hostile makes member events that no honest server writes: of wrong types, absurd sizes and depths, with text
// that is no Unicode, numbers out of range, doubled fields, keys of small order and signatures that are not canonical.
// Hashes and signatures fit what is hostile wherever they can, so that a server gets as far into the event as it may.
//
// Everything follows from a seed: an Input is a list of twists to an honest event, says in words what it is, and can be
// shrunk. Forge makes the event of it. What becomes of the event is for the checks to see.
package hostile
