package stage

// Common starting states with users and rooms. Each check has its own.

import "msc4014/helpers/check"

// The blueprints of these starting states. Package blueprints lists them with the others.
var (
	OneServer  = Blueprint{Name: "one server", Servers: 1, NoPresence: true}
	TwoServers = Blueprint{Name: "two servers", Servers: 2}
)

// Residence is a resident server with a peer in a room: Alice created the public pseudo-ID room on hs1, and a user of Witness has
// joined it. Room is the model of Witness.
type Residence struct {
	*Stage
	Alice   *User
	Witness *Peer
	Room    *Room
}

// OpenResident returns a stage with a resident server and a peer in its room.
func OpenResident(c *check.C) Residence {
	s := Open(c, OneServer)
	opened := Residence{Stage: s, Alice: s.User("alice"), Witness: s.Peer()}
	opened.Room = opened.Witness.Joins(opened.Alice.Makes(Public), opened.Witness.User("witness"))
	return opened
}

// SharedRoom is two servers with a public pseudo-ID room: Alice on hs1 created it, and Bob on hs2 has joined it.
type SharedRoom struct {
	*Stage
	Alice, Bob *User
	RoomID     string
}

// OpenSharedRoom returns a stage with two servers in one room.
func OpenSharedRoom(c *check.C) SharedRoom {
	s := Open(c, TwoServers)
	opened := SharedRoom{Stage: s, Alice: s.UserAt(1, "alice"), Bob: s.UserAt(2, "bob")}
	opened.RoomID = opened.Alice.Makes(Public)
	opened.Bob.Joins(opened.RoomID, s.ServerName(1))
	opened.Bob.Blaming("membership/join-remote").AwaitsMembership(opened.RoomID, opened.Bob.UserID, "join")
	opened.Bob.LetsVerify(opened.RoomID, opened.Alice.UserID)
	return opened
}
