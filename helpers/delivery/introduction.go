package delivery

import (
	"errors"
	"fmt"
	"net/http"

	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Introduction is how the server under test got to know a member: by its join and a message, in a room of the member's own.
type Introduction struct {
	Room       *stage.Room
	Join, Said federation.Event
	Others     []federation.Event // the joins of others
}

// Other makes the join of another member of the room of an introduction.
type Other func(room *stage.Room) federation.Template

// joins adds the join of the member to the room, as Origin knows it, and then those of others.
func (m *Introduction) joins(member *federation.User, others []Other) {
	m.Join = m.Room.Applies(m.Room.MemberTemplate(member, "join"))
	for _, other := range others {
		m.Others = append(m.Others, m.Room.Applies(other(m.Room)))
	}
}

// introduceBySend: Origin sends the joins and the message, each in a transaction.
func introduceBySend(s Scene, member *federation.User, others ...Other) (Introduction, error) {
	m := Introduction{Room: s.Origin.Joins(s.Alice.Makes(stage.Public), s.Carol)}
	// The barrier is beside the join, not after it: it arrives whatever becomes of that.
	barrier := m.Room.Builds(federation.TextMessage(s.Carol, "said beside the join"))
	m.joins(member, others)
	if refusal := s.Sends(m.Join); refusal != nil {
		if err := s.seesBefore(m.Room, barrier, refusal, m.Join); err != nil {
			return m, errors.Join(refusal, err)
		}
	}
	awaited := []federation.Event{m.Join}
	if len(others) > 0 { // the join of another that claims the same may hide this one
		if err := s.Sees(m.Room, m.Join); err != nil {
			return m, err
		}
		awaited = nil
	}
	for _, other := range m.Others {
		if refusal := s.Sends(other); refusal != nil {
			s.C.Notef("%v", refusal)
		}
	}
	m.Said = m.Room.AppliesText(member, "said after the join")
	refusal := s.Sends(m.Said)
	return m, errors.Join(refusal, s.unless(refusal).Sees(m.Room, append(awaited, m.Said)...))
}

// introduceByMissingEvents: the server gets the joins and the message when it asks for the events before another message.
func introduceByMissingEvents(s Scene, member *federation.User, others ...Other) (Introduction, error) {
	m := Introduction{Room: s.Origin.Joins(s.Alice.Makes(stage.Public), s.Carol)}
	barrier := m.Room.Builds(federation.TextMessage(s.Carol, "said beside the gap"))
	m.joins(member, others)
	m.Said = m.Room.AppliesText(member, "said in the gap")
	after := m.Room.AppliesText(s.Carol, "said after the gap")
	refusal := s.Sends(after)
	return m, errors.Join(refusal, s.seesBefore(m.Room, barrier, refusal, m.Said, after))
}

// introduceByState: get_missing_events returns the last event of the gap alone, so that the server asks for the state before
// it. The member's message is in another gap, once the server knows the member: whether Origin may send it in a transaction is open
// (mapping/delivered-by-third-server).
func introduceByState(s Scene, member *federation.User, others ...Other) (Introduction, error) {
	m := Introduction{Room: s.Origin.Joins(s.Alice.Makes(stage.Public), s.Carol)}
	m.joins(member, others)
	m.Room.AppliesText(member, "said in the gap")
	// The member must be in the current state of the room, by events of others, before it can send anything.
	last := m.Room.AppliesText(s.Carol, "said last in the gap")
	isFilled := s.Origin.Handle(federation.GetMissingEvents, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
		if request.Room() == nil || request.Room().ID() != m.Room.ID() {
			return honest()
		}
		return federation.JSON(http.StatusOK, map[string]any{"events": []federation.Event{last}})
	})
	after := m.Room.AppliesText(s.Carol, "said after the gap")
	refusal := s.Sends(after)
	err := s.unless(refusal).Sees(m.Room, after)
	isFilled()
	if err != nil {
		return m, errors.Join(refusal, err)
	}
	m.Said = m.Room.AppliesText(member, "said by a member of the fetched state")
	later := m.Room.AppliesText(s.Carol, "said after another gap")
	refusal = errors.Join(refusal, s.Sends(later))
	return m, errors.Join(refusal, s.unless(refusal).Sees(m.Room, m.Said, later))
}

// introduceByStateOfSendJoin: the members are in the room already when Alice joins it through Origin. The server gets the member's message
// when it asks for what it missed before another one.
func introduceByStateOfSendJoin(s Scene, member *federation.User, others ...Other) (Introduction, error) {
	m := Introduction{Room: s.Origin.Makes(federation.RoomOptions{Creator: s.Carol})}
	m.joins(member, others)
	if err := s.TryEnter(m.Room); err != nil {
		return m, err
	}
	barrier := m.Room.Builds(federation.TextMessage(s.Carol, "said beside the member's message"))
	m.Said = m.Room.AppliesText(member, "said after alice's join")
	after := m.Room.AppliesText(s.Carol, "said after the member's message")
	refusal := s.Sends(after)
	return m, errors.Join(refusal, s.seesBefore(m.Room, barrier, refusal, m.Said, after))
}

// introduceByBackfill: the member has joined and left before Alice joins, and her client pages back.
func introduceByBackfill(s Scene, member *federation.User, others ...Other) (Introduction, error) {
	m := Introduction{Room: s.Origin.Makes(federation.RoomOptions{Creator: s.Carol})}
	m.joins(member, others)
	m.Said = m.Room.AppliesText(member, "said before alice's join")
	// With a mapping: deployed servers do not join a room with a member event in its state that has none.
	m.Room.Applies(m.Room.MemberTemplate(member, "leave").WithMappingOf(member))
	if err := s.TryEnter(m.Room); err != nil {
		return m, err
	}
	// Until her own join has arrived, servers may not know how far back the room goes.
	last := m.Room.Builds(federation.TextMessage(s.Carol, "said after alice's join"))
	if err := errors.Join(s.Sends(last), s.Sees(m.Room, last)); err != nil {
		return m, err
	}
	return m, s.pagesBackTo(m.Room, m.Join)
}

// TryEnter lets Alice join a room of Origin, which may take as long as the scene's deadline.
func (s Scene) TryEnter(room *stage.Room) error {
	ctx, cancel := s.C.Within(s.Deadline)
	defer cancel()
	_, err := s.Alice.JoinRoom(ctx, room.ID(), s.Origin.Name())
	return err
}

// Sends sends an event of Origin to the server under test, which may take as long as the scene's deadline. It returns an
// error if the server answers with one, whatever becomes of the event.
func (s Scene) Sends(event federation.Event) error {
	ctx, cancel := s.C.Within(s.Deadline)
	defer cancel()
	answer, err := s.Origin.SendTransaction(ctx, s.ServerName(1), []federation.Event{event}, nil)
	s.C.Need("resilience/stays-up", err)
	if answer.PDUErrors[event.ID()] != "" || !answer.OK() {
		return fmt.Errorf("the server answered %s with %s", event, answer.Answer)
	}
	return nil
}

// Sees waits until Alice's client is shown events by /sync.
func (s Scene) Sees(room *stage.Room, events ...federation.Event) error {
	for _, event := range events {
		ctx, cancel := s.C.Within(s.Patience)
		_, err := s.Alice.WaitForEventID(ctx, room.ID(), event.ID())
		cancel()
		if err != nil {
			return fmt.Errorf("clients are not shown the %s of %s: %w", event.Type(), event.Sender(), err)
		}
	}
	return nil
}

// unless is the scene with no more patience than usual if the server refused an event: it is not late then.
func (s Scene) unless(refusal error) Scene {
	if refusal != nil {
		s.Patience = stage.Patience
	}
	return s
}

// seesBefore sends a barrier, which is beside the events sent before it, waits until Alice's client is shown it, and returns
// an error if one of the events is in no view. The barrier decides what the server refused; an event that it did not refuse may come
// after it, as servers may verify senders apart from each other.
func (s Scene) seesBefore(room *stage.Room, barrier federation.Event, refusal error, events ...federation.Event) error {
	if err := errors.Join(s.Sends(barrier), s.Sees(room, barrier)); err != nil {
		return err
	}
	if refusal == nil {
		return s.Sees(room, events...)
	}
	for _, event := range events {
		if !s.Alice.SomeView(room.ID(), func(view stage.View) bool { return view.Has(event.ID()) }) {
			return fmt.Errorf("clients are shown what was sent after it, and not the %s of %s", event.Type(), event.Sender())
		}
	}
	return nil
}

// pagesBackTo pages back through /messages, and returns an error if that does not come to the event.
func (s Scene) pagesBackTo(room *stage.Room, event federation.Event) error {
	const mostPages = 20
	from := ""
	for range mostPages {
		page, err := s.Alice.Messages(s.C.Context(), room.ID(), from, "b", 100)
		if err != nil {
			return err
		}
		if (stage.View{Events: page.Get("chunk").Array()}).Has(event.ID()) {
			return nil
		}
		if from = page.Get("end").String(); from == "" {
			break
		}
	}
	return fmt.Errorf("/messages does not go back to the %s of %s", event.Type(), event.Sender())
}
