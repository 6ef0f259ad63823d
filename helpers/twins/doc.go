// Package twins plays one session of client requests in an ordinary room and in a pseudo-ID room of the same server, with the same
// users, and compares the answers and what arrives in syncs. Clients must work without changes, so there may be no difference.
//
// A second ordinary room is the control: what differs between the two ordinary rooms is noise, and no difference. The three rooms are
// played step by step side by side, so that a user's one /sync has all of them. Account-wide data (device lists, presence, to-device
// messages) is therefore not compared; it has checks of its own.
//
// Begin with session.go and kinds.go (what a session is made of), then generate.go, play.go (the player), feed.go (what syncs say of a
// room), normal.go and compare.go (what counts as equal), hunt.go (from a session to named differences), shrink.go and story.go.
package twins
