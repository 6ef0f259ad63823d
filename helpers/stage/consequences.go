package stage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// NotHonoured ensures that a forged claim of a user ID is not honoured: no client view has the user ID as sender, state key or
// member, nor the raw sender key. It needs a positive control before it, and a barrier after the forged event. It notes what
// became of the event and returns the views.
func (u *User) NotHonoured(roomID string, forged federation.Event, claimed string) []View {
	c := u.stage.C
	c.NeedControl()
	fate := "the event is in no client view"
	var shown, raw []string
	views := u.Views(roomID)
	for _, view := range views {
		if where := view.Shows(claimed); where != "" {
			shown = append(shown, view.Name+" "+where)
		}
		if where := view.Shows(forged.Sender()); where != "" {
			raw = append(raw, view.Name+" "+where)
		}
		if sender := view.ShownAs(forged.ID()); sender != "" {
			fate = "the event is shown, sent by " + sender
		}
	}
	if len(shown) > 0 {
		c.Errorf("clients are shown %s, which the key %s only claimed: %s", claimed, forged.Sender(), strings.Join(shown, ", "))
	}
	if len(raw) > 0 {
		c.Errorf("clients are shown the raw key %s: %s", forged.Sender(), strings.Join(raw, ", "))
	}
	c.Notef("%s", fate)
	return views
}

// OnlyPlaceholders ensures that views of a room show no users but honest ones and placeholders: user IDs of the server's own domain that
// are nobody's account and hold no sender key of the room or of a forged event. A user ID of another domain would be a claim that nobody
// has proven. known are those that were looked for by themselves already. It needs a positive control before it.
func (s *Stage) OnlyPlaceholders(views []View, room *Room, forged []federation.Event, honest []string, known ...string) {
	s.C.NeedControl()
	var keys []string
	for _, event := range append(room.Events(), forged...) {
		keys = append(keys, event.Sender())
	}
	reported := map[string]bool{}
	for _, view := range views {
		for userID, where := range view.Users() {
			if reported[userID] || slices.Contains(honest, userID) || slices.Contains(known, userID) {
				continue
			}
			if err := s.isPlaceholder(1, userID, keys); err != nil {
				reported[userID] = true
				s.C.Errorf("%s shows %.80q %s, which is neither an honest user nor a placeholder: %v", view.Name, userID, where, err)
			}
		}
	}
}

// isPlaceholder returns an error if a user ID cannot be a placeholder of a server under test: 1 for hs1.
func (s *Stage) isPlaceholder(place int, userID string, keys []string) error {
	own := strings.HasSuffix(userID, ":"+s.ServerName(place))
	// A placeholder by the letter of the template may be no valid user ID (unverified/placeholder-form).
	if err := pseudoid.ValidUserID(userID); err != nil && !(own && strings.HasPrefix(userID, "@_unverified_")) {
		return err
	}
	if !own {
		return fmt.Errorf("it is of another domain than %s", s.ServerName(place))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[userID] {
		return errors.New("it is the account of another user")
	}
	for _, key := range keys {
		for _, spelling := range []string{key, strings.NewReplacer("+", "-", "/", "_").Replace(key)} {
			if key != "" && strings.Contains(strings.ToLower(userID), strings.ToLower(spelling)) {
				return errors.New("it has a sender key in it")
			}
		}
	}
	return nil
}

// Refused ensures that an event is in no client view and no room state. It needs a positive control before it, and a barrier after
// the event. It returns the views.
func (u *User) Refused(roomID string, forged federation.Event) []View {
	c := u.stage.C
	c.NeedControl()
	var holding []string
	views := u.Views(roomID)
	for _, view := range views {
		if view.Has(forged.ID()) {
			holding = append(holding, view.Name)
		}
	}
	if len(holding) > 0 {
		c.Errorf("the event %s must be refused and is in %s", forged.ID(), strings.Join(holding, ", "))
	}
	if _, err := u.Event(c.Context(), roomID, forged.ID()); err == nil {
		c.Errorf("GET /event serves the event %s that must be refused", forged.ID())
	}
	return views
}

// NotServed ensures that peers do not get an event that must be refused in the state and auth chain of a later join. Without a valid
// signature of its sender it must be dropped, and is in no answer to /event, backfill or get_missing_events either. What authorisation
// alone rejects may be handed out to who asks for it (server-server API, rejection), which is noted.
func (r *Room) NotServed(forged federation.Event) {
	c := r.stage.C
	c.NeedControl()
	if _, known := r.Event(forged.ID()); known {
		c.Errorf("a server that joined later was served the event %s that must be refused", forged.ID())
	}
	ctx, cancel := c.Within(Patience)
	defer cancel()
	served, err := r.peer.Serves(ctx, r.server, r.Room, forged.ID())
	if err != nil {
		c.Need("resilience/stays-up", err)
	}
	_, unsigned := pseudoid.VerifySenderSignature(forged.JSON(), forged.Format())
	switch {
	case served && unsigned == nil:
		c.Notef("GET /event serves peers the event %s, which authorisation rejects", forged.ID())
	case served:
		c.Errorf("GET /event serves peers the event %s that must be dropped: %v", forged.ID(), unsigned)
	}
	if unsigned != nil {
		r.notInHistory(forged)
	}
}

// notInHistory ensures that the server hands out an event neither in backfill, from the ends of the room or from the event itself, nor among
// missing events.
func (r *Room) notInHistory(forged federation.Event) {
	c := r.stage.C
	const most = 100
	for _, way := range []struct {
		name string
		ask  func(ctx context.Context) ([]federation.Event, federation.Answer, error)
	}{
		{"/backfill", func(ctx context.Context) ([]federation.Event, federation.Answer, error) {
			return r.peer.Backfill(ctx, r.server, r.Room, most, r.Extremities()...)
		}},
		{"/backfill from the event", func(ctx context.Context) ([]federation.Event, federation.Answer, error) {
			return r.peer.Backfill(ctx, r.server, r.Room, most, forged.ID())
		}},
		{"/get_missing_events", func(ctx context.Context) ([]federation.Event, federation.Answer, error) {
			return r.peer.FetchMissingEvents(ctx, r.server, r.Room, most, []string{}, r.Extremities())
		}},
	} {
		ctx, cancel := c.Within(Patience)
		events, answer, err := way.ask(ctx)
		cancel()
		c.Need("resilience/stays-up", err)
		if !answer.OK() {
			c.Notef("%s was refused: %s", way.name, answer)
		}
		if slices.ContainsFunc(events, func(event federation.Event) bool { return event.ID() == forged.ID() }) {
			c.Errorf("%s serves peers the event %s that must be dropped", way.name, forged.ID())
		}
	}
}

// NotReferredTo ensures that no event of the server's own stands on one that must be refused: neither what a user of the server says
// after it, as the peer of the room receives it, nor the join that the server made a template of, with their auth events. It needs a
// positive control before it, and a barrier after the event.
func (r *Room) NotReferredTo(forged federation.Event, by *User) {
	c := r.stage.C
	c.NeedControl()
	said, err := by.SendMessage(c.Context(), r.ID(), "said after the refusal")
	c.Need("client-view/unmodified-client", err)
	c.Need("routing/reaches-members", r.peer.Receives(said))
	examine := func(event federation.Event) {
		for field, ids := range map[string][]string{"prev_events": event.PrevEvents(), "auth_events": event.AuthEvents()} {
			if slices.Contains(ids, forged.ID()) {
				c.Errorf("the event %s that must be refused is among the %s of an event of type %s that the server made",
					forged.ID(), field, event.Type())
			}
		}
	}
	for _, arrival := range r.peer.Received() {
		if arrival.Event.ID() == said {
			examine(arrival.Event)
		}
	}
	for _, member := range r.Members() {
		event, _ := r.StateEvent("m.room.member", member.Sender)
		if _, domain, _ := strings.Cut(member.UserID, ":"); domain == r.peer.Name() {
			examine(event)
		}
	}
}

// OnlyLookedUp ensures that no request about a room, nor about a user whom a mapping claims there and nothing else makes known to the
// server, reached the peer, except for keys and discovery. It needs a positive control and a barrier before it.
func (p *Peer) OnlyLookedUp(roomID, claimed string) {
	c := p.stage.C
	c.NeedControl()
	for _, request := range p.Requests() {
		if isLookup(request) {
			continue
		}
		for what, text := range map[string]string{"room": roomID, "claimed user": claimed} {
			if names(request, text) {
				c.Errorf("the claimed domain %s was sent a request about the %s: %s", p.Name(), what, request.String())
			}
		}
	}
}

// ReceivedOnlyEDUs ensures that a peer that shares no room with the server was sent nothing at all but requests for keys and discovery, and
// EDUs of the type given, in transactions without PDUs. It needs a positive control and a barrier before it.
func (p *Peer) ReceivedOnlyEDUs(eduType string) {
	c := p.stage.C
	c.NeedControl()
	for _, request := range p.Requests() {
		if isLookup(request) {
			continue
		}
		if request.Endpoint != federation.Send {
			c.Errorf("the server %s, which shares no room, was sent a request: %s", p.Name(), request.String())
			continue
		}
		for _, pdu := range gjson.GetBytes(request.Body, "pdus").Array() {
			c.Errorf("the server %s, which shares no room, was sent an event: %s", p.Name(), pdu.Raw)
		}
		for _, edu := range gjson.GetBytes(request.Body, "edus").Array() {
			if sent := edu.Get("edu_type").String(); sent != eduType {
				c.Errorf("the server %s, which shares no room, was sent %q: %s", p.Name(), sent, edu.Raw)
			}
		}
	}
}

// isLookup reports whether a request asks for keys, or is one of discovery.
func isLookup(request federation.Request) bool {
	switch request.Endpoint {
	case federation.ServerKeys, federation.KeyQuery, federation.Version, federation.WellKnown:
		return true
	}
	return false
}

// names reports whether a request contains an ID in its path, escaped or not, its query or its body.
func names(request federation.Request, id string) bool {
	if slices.Contains(request.Parameters, id) || strings.Contains(request.URI, id) || strings.Contains(string(request.Body), id) {
		return true
	}
	unescaped, err := url.PathUnescape(request.URI)
	return err == nil && strings.Contains(unescaped, id)
}
