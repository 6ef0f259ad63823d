package stage

// Starting states with users and rooms in them, for checks that begin alike. Each check has its own.

import "msc4014/helpers/check"

// The blueprints of the openings. Package blueprints lists them among the others.
var (
	OneServer  = Blueprint{Name: "one server", Servers: 1}
	TwoServers = Blueprint{Name: "two servers", Servers: 2}
)

// Residence is a resident server with a peer in the room: Room is Alice's, a public pseudo-ID room on hs1, as Witness
// knows it, one of whose users has joined it.
type Residence struct {
	*Stage
	Alice   *User
	Witness *Peer
	Room    *Room
}

// OpenResident opens the stage with a resident server and a peer in its room.
func OpenResident(c *check.C) Residence {
	s := Open(c, OneServer)
	opened := Residence{Stage: s, Alice: s.User("alice"), Witness: s.Peer()}
	opened.Room = opened.Witness.Joins(opened.Alice.Makes(Public), opened.Witness.User("witness"))
	return opened
}

// SharedRoom is two servers with one room: a public pseudo-ID room that Alice of hs1 made and Bob of hs2 has joined.
type SharedRoom struct {
	*Stage
	Alice, Bob *User
	RoomID     string
}

// OpenSharedRoom opens the stage with two servers in one room.
func OpenSharedRoom(c *check.C) SharedRoom {
	s := Open(c, TwoServers)
	opened := SharedRoom{Stage: s, Alice: s.UserAt(1, "alice"), Bob: s.UserAt(2, "bob")}
	opened.RoomID = opened.Alice.Makes(Public)
	opened.Bob.Joins(opened.RoomID, s.ServerName(1))
	opened.Bob.Blaming("membership/join-remote").AwaitsMembership(opened.RoomID, opened.Bob.UserID, "join")
	return opened
}
