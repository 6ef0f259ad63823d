package delivery

import (
	"net/http"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/federation"
)

// Speaker is a user of Origin, and its member event that was delivered.
type Speaker struct {
	User  *federation.User
	Event federation.Event
}

// Speaks has users whose member events were delivered send more events, and waits until the server has processed them. Each user sends
// a message with nothing wrong in it, then a join without a mapping, then another message. If the server refused or hid a claim but
// kept it, the claim shows when its key says something. All these events follow the member event and after, the barrier of the
// delivery. It returns them.
func (s Scene) Speaks(after federation.Event, speakers ...Speaker) (sent []federation.Event) {
	// Beside it, as in the deliveries: it arrives whatever becomes of what they send. Of Dan, as lies may be in the name of Carol's key.
	barrier := s.Room.Made(s.TextMessage(s.Dan, "said beside that").Alter(federation.SetField("prev_events", []string{after.ID()})))
	// A server that has dropped the member event may ask for it, and is given it in the room's history alone: the state is another path.
	for _, endpoint := range []federation.Endpoint{federation.GetState, federation.GetStateIDs} {
		defer s.Origin.Handle(endpoint, func(*federation.Request, func() federation.Answer) federation.Answer {
			return federation.Refusal(http.StatusNotFound, "M_NOT_FOUND", "the state is not known")
		})()
	}
	for _, each := range speakers {
		if _, known := s.Room.Event(each.Event.ID()); !known {
			s.Room.Apply(each.Event)
		}
		makes := func(template federation.Template, member federation.Event) federation.Event {
			event := s.Room.Made(template.Alter(federation.SetField("prev_events", []string{member.ID(), after.ID()})).
				Alter(authorisedBy(member.ID())))
			sent = append(sent, event)
			return event
		}
		makes(s.TextMessage(each.User, "said later on"), each.Event)
		unmapped := makes(s.Room.MemberTemplate(each.User, "join").WithoutMapping(), each.Event)
		makes(s.TextMessage(each.User, "said without a mapping"), unmapped)
	}
	for some := range slices.Chunk(sent, transactionPDUs) {
		s.pushesTogether(some)
	}
	_, err := s.Room.Pushes(barrier)
	s.C.Need("resilience/stays-up", err)
	s.awaits(barrier)
	return sent
}

// transactionPDUs is how many events a transaction has at most. The server-server API allows 50, but all have the time of one request.
const transactionPDUs = 10

// pushesTogether sends events in one transaction. If the server refuses all of it, it sends each in one of its own.
func (s Scene) pushesTogether(events []federation.Event) {
	answer, err := s.Room.Pushes(events...)
	s.C.Need("resilience/stays-up", err)
	if len(events) == 1 {
		s.C.Notef("the server answered %s with %s", events[0], answer.Answer)
		return
	}
	s.C.Notef("the server answered %d events with %s", len(events), answer.Answer)
	if answer.OK() {
		return
	}
	for i := range events {
		s.pushesTogether(events[i : i+1])
	}
}

// authorisedBy adds an event to the auth events of another.
func authorisedBy(eventID string) federation.Change {
	return func(event []byte) ([]byte, error) {
		ids := []string{eventID}
		for _, id := range gjson.GetBytes(event, "auth_events").Array() {
			if !slices.Contains(ids, id.String()) {
				ids = append(ids, id.String())
			}
		}
		return sjson.SetBytes(event, "auth_events", ids)
	}
}
