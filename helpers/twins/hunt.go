package twins

// From sessions to the differences that they show: each is seen twice, and told by the shortest session that was found.

import (
	"context"
	"errors"
	"slices"

	"msc4014/helpers/transcript"
)

// Found is one or several differences with the same cause, with their proof.
type Found struct {
	// Difference is the one that is told.
	Difference
	// Names are those of all differences that seem to have the same cause.
	Names []string
	// Shortest is the shortest session that was found to show it.
	Shortest Session
	// Exchanges are those of the step that shows it, with both rooms.
	Exchanges []transcript.Exchange
}

// Hunter plays sessions, and collects what differs.
type Hunter struct {
	// Meet returns users who are in no room yet. It is called for each play.
	Meet func(Cast) (Company, error)
	// Context ends the search.
	Context context.Context
	// Expected reports whether a difference is known, which need not be seen twice; nil means that none is.
	Expected func(name string) bool

	// Found has all differences, by cause, in the order in which they were found.
	Found []*Found
	// Unsteady are differences that were not seen again when their session was played again.
	Unsteady []Difference
	// Cut has the seeds of sessions of which the rest was not compared, because the rooms took different ways too often.
	Cut []uint64
	// Counts, Aside and Noise add up what the plays had.
	Counts, Aside, Noise map[string]int
	// Plays is how often a session was played.
	Plays int

	player func(Company, Session) (Played, error) // in place of Play, in tests
}

const (
	// mostRounds bounds how often a session is played without steps that made the rooms take different ways.
	mostRounds = 3
	// mostReplays bounds how often a session is played again because an event was late.
	mostReplays = 3
)

// Hunt plays a session, and again without each step after which the rooms took different ways. What differs counts if it differs in
// two plays.
func (h *Hunter) Hunt(session Session) error {
	for range mostRounds {
		plays, err := h.twice(session)
		var refused *noRoomError
		switch {
		case errors.As(err, &refused) && len(session.words()) > 1:
			session = session.createdBy(session.words()[0])
			continue
		case err != nil:
			return err
		}
		h.take(session, plays[0], plays[1])
		parted := plays[0].parted()
		if parted == nil {
			return nil
		}
		seed := session.Seed
		if session = session.past(*parted); len(session.Steps) == 0 {
			h.Cut = append(h.Cut, seed)
			return nil
		}
	}
	h.Cut = append(h.Cut, session.Seed)
	return nil
}

// twice plays a session, and again if something new differs, which counts if both plays have it. A play that ended because an event was
// late, and not with the other, is played again; if the event is lost then, too, it was not late.
func (h *Hunter) twice(session Session) (plays [2]Played, err error) {
	if plays[0], err = h.play(session); err != nil {
		return plays, err
	}
	h.add(plays[0])
	plays[1] = plays[0]
	if !slices.ContainsFunc(plays[0].Differences, func(one Difference) bool { return !h.knows(one) && !h.expects(one) }) {
		return plays, nil
	}
	if plays[1], err = h.play(session); err != nil {
		return plays, err
	}
	for range mostReplays {
		late := onlyLate(plays)
		if late < 0 {
			break
		}
		again, err := h.play(session)
		if err != nil {
			return plays, err
		}
		if one, other := plays[late].parted(), again.parted(); other != nil && one.StepID == other.StepID && one.Name() == other.Name() {
			return [2]Played{plays[late], again}, nil
		}
		h.Unsteady = append(h.Unsteady, *plays[late].parted())
		plays[late] = again
	}
	if onlyLate(plays) >= 0 {
		h.Cut = append(h.Cut, session.Seed)
	}
	return plays, nil
}

// onlyLate returns which of two plays ended with an event that was lost in it and came in the other, or -1.
func onlyLate(plays [2]Played) int {
	first, second := plays[0].parted(), plays[1].parted()
	lost := func(one *Difference) bool { return one != nil && one.losesEvent() }
	switch {
	case first != nil && second != nil && first.StepID == second.StepID:
		return -1
	case lost(first) && (second == nil || first.StepID < second.StepID):
		return 0
	case lost(second) && (first == nil || second.StepID < first.StepID):
		return 1
	}
	return -1
}

// parted returns the difference after which the rooms were not compared any more, or nil.
func (p Played) parted() *Difference {
	all := slices.Concat(p.Differences, p.Noise)
	if at := slices.IndexFunc(all, func(one Difference) bool { return one.Parts }); at >= 0 {
		return &all[at]
	}
	return nil
}

// knows reports whether a difference was found before.
func (h *Hunter) knows(one Difference) bool {
	return slices.ContainsFunc(h.Found, func(found *Found) bool { return slices.Contains(found.Names, one.Name()) })
}

func (h *Hunter) expects(one Difference) bool { return h.Expected != nil && h.Expected(one.Name()) }

// take adds the differences that two plays have, and those that are expected.
func (h *Hunter) take(session Session, played, again Played) {
	for _, one := range played.Differences {
		from := again
		if h.expects(one) {
			from = played
		}
		same := slices.IndexFunc(from.Differences, func(other Difference) bool { return other.Name() == one.Name() })
		switch {
		case h.knows(one):
		case same < 0:
			h.Unsteady = append(h.Unsteady, one)
		default:
			one = from.Differences[same]
			// What is new is told by a session of its own, also if something known has the same cause.
			if at := slices.IndexFunc(h.Found, func(found *Found) bool {
				return found.Cause() == one.Cause() && h.expects(found.Difference) == h.expects(one)
			}); at >= 0 {
				h.Found[at].Names = append(h.Found[at].Names, one.Name())
				continue
			}
			h.Found = append(h.Found, &Found{
				Difference: one, Names: []string{one.Name()}, Shortest: session.showing(one), Exchanges: from.Exchanges[one.StepID],
			})
		}
	}
}

// Shorten plays shorter sessions, at most attempts, as long as they show the difference.
func (h *Hunter) Shorten(found *Found, attempts int) {
	found.Shortest = shrink(found.Shortest, attempts, func(shorter Session) (bool, error) {
		last := shorter.Steps[len(shorter.Steps)-1].ID
		shorter = shorter.showing(Difference{Step: found.Step, StepID: last})
		played, err := h.play(shorter)
		if err != nil {
			return false, err
		}
		for _, one := range played.Differences {
			if one.Name() == found.Difference.Name() {
				found.Difference, found.Exchanges = one, played.Exchanges[one.StepID]
				return true, nil
			}
		}
		return false, nil
	})
}

// play plays a session.
func (h *Hunter) play(session Session) (Played, error) {
	if h.Context.Err() != nil {
		return Played{}, context.Cause(h.Context)
	}
	company, err := h.Meet(session.Cast)
	if err != nil {
		return Played{}, err
	}
	h.Plays++
	if h.player != nil {
		return h.player(company, session)
	}
	return Play(company, session)
}

// add adds up what a play had.
func (h *Hunter) add(played Played) {
	if h.Counts == nil {
		h.Counts, h.Aside, h.Noise = map[string]int{}, map[string]int{}, map[string]int{}
	}
	for name, count := range played.Counts {
		h.Counts[name] += count
	}
	for name, count := range played.Aside {
		h.Aside[name] += count
	}
	for _, each := range played.Noise {
		h.Noise[each.Name()]++
	}
}
