package clientview

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/realclient"
	"msc4014/helpers/stage"
)

// mostProblems is how many problems of a session are told: after that, waiting for more would exceed the check's time.
const mostProblems = 3

// session is what real clients do in one room, and what they must show. It is played in an ordinary room first, so it returns its
// problems: there they are not the proposal's.
type session struct {
	c        *check.C
	roomID   string
	users    []string // the user IDs of all who take part
	problems []error
	over     bool
}

// does lets somebody do something, without which the session cannot go on.
func (s *session) does(what string, do func(context.Context) error) {
	if s.over {
		return
	}
	ctx, cancel := s.c.Within(stage.Patience)
	defer cancel()
	if err := do(ctx); err != nil {
		s.over = true
		s.broke(fmt.Errorf("%s: %w", what, err))
	}
}

// sees waits until the model that a client has of its rooms satisfies wanted.
func (s *session) sees(viewer *realclient.Nio, wanted func(realclient.Model) error) {
	if s.over {
		return
	}
	ctx, cancel := s.c.Within(stage.Patience)
	defer cancel()
	if err := viewer.Await(ctx, wanted); err != nil {
		s.broke(fmt.Errorf("the client of %s: %w", viewer.UserID, err))
	}
}

func (s *session) broke(err error) {
	if errors.Is(err, realclient.ErrEnded) {
		s.c.SuiteError(err)
	}
	s.problems = append(s.problems, err)
	s.over = s.over || len(s.problems) >= mostProblems
}

// room is sees for the room of the session.
func (s *session) room(viewer *realclient.Nio, wanted func(*realclient.Room) error) {
	s.sees(viewer, func(model realclient.Model) error {
		room := model.Rooms[s.roomID]
		if room == nil {
			return errors.New("it does not show the room")
		}
		return wanted(room)
	})
}

// members waits until a client shows exactly these members.
func (s *session) members(viewer *realclient.Nio, userIDs ...string) {
	want := slices.Sorted(slices.Values(userIDs))
	s.room(viewer, func(room *realclient.Room) error {
		if shown := slices.Sorted(maps.Keys(room.Members)); !slices.Equal(shown, want) {
			return fmt.Errorf("it shows the members %q, not %q", shown, want)
		}
		return nil
	})
}

// named waits until a client shows a member by a name.
func (s *session) named(viewer *realclient.Nio, userID, name string) {
	s.room(viewer, func(room *realclient.Room) error {
		if member := room.Members[userID]; member == nil || member.Name != name {
			return fmt.Errorf("it does not show %s by the new name %q", userID, name)
		}
		return nil
	})
}

// reads waits until a client shows a message with its text, decrypted in an encrypted room, as sent by a user.
func (s *session) reads(viewer *realclient.Nio, eventID, sender, text string) {
	s.room(viewer, func(room *realclient.Room) error {
		shown := room.Event(eventID)
		switch {
		case shown == nil:
			return fmt.Errorf("it does not show the message %q of %s", text, sender)
		case shown.Sender != sender:
			return fmt.Errorf("it shows a message of %s as sent by %q", sender, shown.Sender)
		case room.Encrypted && !shown.Decrypted:
			return fmt.Errorf("it cannot decrypt the message %q of %s", text, sender)
		case shown.Body != text:
			return fmt.Errorf("it shows the text %q for %q", shown.Body, text)
		}
		return nil
	})
}

// redacted waits until a client shows a message as redacted by a user.
func (s *session) redacted(viewer *realclient.Nio, eventID, by string) {
	s.room(viewer, func(room *realclient.Room) error {
		if shown := room.Event(eventID); shown == nil || shown.RedactedBy != by || shown.Body != "" {
			return fmt.Errorf("it does not show a message as redacted by %s", by)
		}
		return nil
	})
}

// gone waits until a client shows that its user is no longer in the room.
func (s *session) gone(viewer *realclient.Nio) {
	s.sees(viewer, func(model realclient.Model) error {
		if !slices.Contains(model.Left, s.roomID) {
			return errors.New("it does not show that its user is not in the room any more")
		}
		return nil
	})
}

// onlyUsers looks at everything in a client's model of the room that identifies somebody: it is the user ID of one who takes part.
func (s *session) onlyUsers(viewer *realclient.Nio) {
	s.room(viewer, func(room *realclient.Room) error {
		var others []string
		look := func(what, shown string) {
			if shown != "" && !slices.Contains(s.users, shown) {
				others = append(others, fmt.Sprintf("%q as %s", shown, what))
			}
		}
		look("the room's creator", room.Creator)
		for userID := range room.Members {
			look("a member", userID)
		}
		for userID := range room.Powers {
			look("one with power", userID)
		}
		for _, shown := range room.Timeline {
			look("the sender of an event of type "+shown.Type, shown.Sender)
			look("one who redacted", shown.RedactedBy)
			if shown.Type == "m.room.member" {
				look("the state key of a member event", shown.StateKey)
			}
		}
		if len(others) > 0 {
			slices.Sort(others)
			return errors.New("it shows what is not the user ID of one of them: " + strings.Join(slices.Compact(others), ", "))
		}
		return nil
	})
}

// says lets a client's user say something, and returns the event ID.
func (s *session) says(speaker *realclient.Nio, text string) (eventID string) {
	s.does(speaker.UserID+" says something", func(ctx context.Context) (err error) {
		eventID, err = speaker.Say(ctx, s.roomID, text)
		return err
	})
	return eventID
}

// joins lets a client's user join the room, by its ID or an alias.
func (s *session) joins(joiner *realclient.Nio, room string) {
	s.does(joiner.UserID+" joins", func(ctx context.Context) error {
		_, err := joiner.Join(ctx, room)
		return err
	})
}

// result joins the problems to one error, or returns nil.
func (s *session) result() (all error) {
	for _, problem := range s.problems {
		if all == nil {
			all = problem
			continue
		}
		all = fmt.Errorf("%w; %w", all, problem)
	}
	return all
}
