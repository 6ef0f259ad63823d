// Package membership judges chapter membership: joining and leaving rooms, inviting, knocking, kicking and banning, locally and over
// federation, in both directions. All of it stands on the first hard requirement of MSC4014: clients work without any change to their
// code, so what they do by user ID, alias and room ID is what it is in any room.
package membership
