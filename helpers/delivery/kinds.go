package delivery

import (
	"msc4014/helpers/federation"
)

// NoteUnder is a note, which every member may write, under a state key.
func NoteUnder(by *federation.User, stateKey string) federation.Proto {
	content := map[string]string{"note": "written by a member"}
	return federation.Proto{Type: MemberStateType, StateKey: federation.StateKey(stateKey), Sender: by, Content: content}
}
