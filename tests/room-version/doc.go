// Package roomversion judges chapter room-version: the room version of the proposal is advertised, can be chosen, and leaves
// rooms of other versions alone.
package roomversion
