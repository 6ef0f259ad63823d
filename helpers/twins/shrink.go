package twins

// Shortening a session to what shows a difference.

import "slices"

// shrink returns the shortest session found that still shows what shows reports. It asks shows as long as it returns no error, and at
// most attempts times.
func shrink(session Session, attempts int, shows func(Session) (bool, error)) Session {
	try := func(shorter Session) bool {
		if attempts <= 0 || len(shorter.Steps) == 0 || shorter.Steps[0].Kind != createKind {
			return false
		}
		attempts--
		showing, err := shows(shorter)
		if err != nil {
			attempts = 0
			return false
		}
		if showing {
			session = shorter
		}
		return showing
	}
	// Drop runs of steps, long ones first.
	for length := len(session.Steps) / 2; length > 0; length /= 2 {
		for end := len(session.Steps) - 1; end > 1; {
			begin := max(1, end-length)
			var gone []int
			for _, step := range session.Steps[begin:end] {
				gone = append(gone, step.ID)
			}
			try(session.without(gone...))
			end = min(begin, len(session.Steps)-1)
		}
	}
	// Make a plainer room.
	for word := 1; word < len(session.words()); {
		if !try(session.createdBy(slices.Delete(session.words(), word, word+1)...)) {
			word++
		}
	}
	// Give one user's part to another.
	for from := len(session.Cast.Users) - 1; from > 1; from-- {
		for into := 1; into < from; into++ {
			// Nobody may ignore the first user of a server (ignoring).
			if session.Cast.Users[from] == session.Cast.Users[into] && !session.Cast.first(into) && session.has(from) {
				try(session.merged(from, into))
			}
		}
	}
	return session
}

// has reports whether a user takes part.
func (s Session) has(user int) bool {
	return slices.ContainsFunc(s.Steps, func(step Step) bool { return step.By == user || step.Whom == user })
}

// showing returns the session as far as it takes to show a difference: up to its step, with one look at most.
func (s Session) showing(one Difference) Session {
	s = s.until(one.StepID)
	for i := range s.Steps {
		s.Steps[i].Look = one.Step == lookStep && i == len(s.Steps)-1
	}
	return s
}
