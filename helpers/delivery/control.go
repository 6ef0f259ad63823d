package delivery

import "msc4014/helpers/stage"

// control is what became of the positive control of a path.
type control struct {
	refusal error           // nil: the server accepted it
	given   map[string]bool // the views that Alice was given or refused
}

// HasRoomOfItsOwn reports whether each event that the path delivers comes in a room of its own.
func (p Path) HasRoomOfItsOwn() bool { return p.Enters || p.Gap }

// SharesControl delivers the positive control of a name once for all checks on the deployment: it tests the path, and nothing in it
// depends on the check or on the room of the forged event. It ends the check as inconclusive, or as one that needs a requirement if that is
// not "", where deliver returns an error: the server does not accept it. In deliver, each step must name the requirement to blame
// (stage.Scene).
func (s Scene) SharesControl(name, needs string, deliver func() error) {
	s.C.Controlling()
	shared := stage.Scene(s.Stage, "the positive control of "+name, func() control {
		refusal := deliver()
		if refusal == nil {
			s.C.Control(nil)
		}
		return control{refusal, s.Alice.Given()}
	})
	s.Alice.Recalls(shared.given)
	if needs != "" {
		s.C.Need(needs, shared.refusal)
	}
	s.C.SharedControl(shared.refusal)
}
