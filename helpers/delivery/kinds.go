package delivery

import "msc4014/helpers/federation"

// Kind is a kind of event that is delivered.
type Kind int

const (
	Message         Kind = iota
	MemberState          // state that every member may send
	PrivilegedState      // state that only members with power may send
	Join                 // of a user that is not in the room yet
)

func (k Kind) String() string {
	return [...]string{"a message", "state that every member may send", "state that takes power", "a join"}[k]
}

// The event types of the kinds of state.
const (
	MemberStateType     = "org.example.note"
	PrivilegedStateType = "org.example.law"
)

// MemberStateUnder is a state event that every member may send, with a state key.
func MemberStateUnder(sender *federation.User, stateKey string) federation.Proto {
	content := map[string]string{"note": "written by a member"}
	return federation.Proto{Type: MemberStateType, StateKey: federation.StateKey(stateKey), Sender: sender, Content: content}
}
