// Package membership judges chapter membership: joining and leaving rooms, locally and over federation, in both directions.
// All of it stands on the first hard requirement of MSC4014: clients work without any change to their code, so joining and
// leaving by user ID, alias and room ID are what they are in any room.
package membership
