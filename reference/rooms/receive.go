package rooms

// This file accepts events from other servers (server-server API, "Checks performed on receipt of a PDU").

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// missingLimit is how many events are requested at once to fill a gap.
const missingLimit = 100

// Receive accepts an event that a server sent in a transaction. It returns an error if the event is not accepted;
// eventID is "" if the event cannot be parsed.
func (rs *Rooms) Receive(ctx context.Context, origin string, event json.RawMessage) (eventID string, err error) {
	roomID := gjson.GetBytes(event, "room_id").String()
	room := rs.Get(roomID)
	if room == nil || !room.Resident() {
		return rs.receiveOutside(ctx, origin, roomID, event)
	}
	if !room.ACLAllows(origin) {
		return "", Forbidden("%s is denied by the access control list of room %s", origin, roomID)
	}
	read, err := room.readForeign(ctx, event)
	if err != nil {
		return "", err
	}
	if rs.Pseudonym.Readings.ACLAndClaims == "proven-only" {
		domain, proven := pseudonym.VerifiedDomain(identity.SenderKey(read.Sender()), room.directory)
		if proven && !room.ACLAllows(domain) {
			return read.ID(), Forbidden("%s, the server of the sender, is denied by the access control list of room %s", domain, roomID)
		}
	}
	room.intake.Lock()
	defer room.intake.Unlock()
	room.verifyInBackground(read.Sender())
	defer room.applyAllDeferred()
	return read.ID(), room.receive(ctx, origin, read)
}

// readForeign parses an event from another server and checks it by itself. An event whose content hash is wrong is
// returned in redacted form.
func (r *Room) readForeign(ctx context.Context, raw json.RawMessage) (*pdu.Event, error) {
	event, err := pdu.Parse(raw, r.format)
	if err != nil {
		return nil, err
	}
	return r.check(ctx, event)
}

// check verifies the signatures and the content hash of an event.
func (r *Room) check(ctx context.Context, event *pdu.Event) (*pdu.Event, error) {
	if r.format.Pseudonymous {
		return r.rooms.Pseudonym.Receive(event)
	}
	return rules.Receive(ctx, event, r.rooms.EventKeys)
}

// receive accepts an event, after fetching missing prev events. The intake lock must be held.
func (r *Room) receive(ctx context.Context, origin string, event *pdu.Event) error {
	if known := r.Event(event.ID()); known != nil && !known.Outlier() {
		return known.refusal()
	}
	if len(r.missing(event.PrevEvents())) > 0 {
		r.fillGap(ctx, origin, event)
	}
	_, err := r.takeForeign(ctx, origin, origin, event)
	return err
}

// refusal returns an error if the event was rejected.
func (e *Event) refusal() error {
	if e.Rejected != "" {
		return errors.New(e.Rejected)
	}
	return nil
}

// missing returns those of the events that are unknown or outliers.
func (r *Room) missing(ids []string) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		known := r.events[id]
		return known != nil && !known.Outlier()
	})
}

// fillGap requests and accepts the events between the forward extremities and an event: from the server that sent it, or if
// that does not give them, from others in the room. takeForeign copes with those that are unavailable.
func (r *Room) fillGap(ctx context.Context, origin string, event *pdu.Event) {
	r.mu.RLock()
	earliest := slices.Clone(r.heads)
	r.mu.RUnlock()
	for _, server := range append([]string{origin}, slices.DeleteFunc(r.Audience(), func(server string) bool { return server == origin })...) {
		found, err := r.rooms.Remote.MissingEvents(ctx, server, r.id, earliest, []string{event.ID()}, missingLimit, 0)
		if err != nil {
			r.rooms.Log.Info("missing events were not fetched", "room", r.id, "before", event.ID(), "server", server, "error", err)
			continue
		}
		r.takeMissing(ctx, server, found)
		return
	}
}

// takeMissing accepts the events of a gap that a server gave.
func (r *Room) takeMissing(ctx context.Context, server string, found []json.RawMessage) {
	var between []*pdu.Event
	for _, one := range found {
		if read, err := r.readForeign(ctx, one); err == nil && read.RoomID() == r.id {
			between = append(between, read)
		}
	}
	slices.SortStableFunc(between, func(a, b *pdu.Event) int { return cmp.Compare(a.Depth(), b.Depth()) })
	for _, one := range between {
		if len(r.missing([]string{one.ID()})) > 0 {
			if _, err := r.takeForeign(ctx, server, "", one); err != nil {
				r.rooms.Log.Info("a missing event was refused", "room", r.id, "event", one.ID(), "error", err)
			}
		}
	}
}

// takeForeign accepts an event of another server: it finds the state before it, judges its mapping, checks it by the
// rules, and adds it to the room, if need be as rejected. server is asked for what is missing; sender delivered the event, and is "" if
// this server asked for it.
func (r *Room) takeForeign(ctx context.Context, server, sender string, event *pdu.Event) (*Event, error) {
	given, outliers, err := r.stateGiven(ctx, server, event)
	if err != nil {
		return nil, err
	}
	outliers, err = r.withAuthEvents(ctx, server, event, outliers)
	if err != nil {
		return nil, err
	}
	j := r.judgeBrought(ctx, server, event)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.keepOutliers(outliers); err != nil {
		return nil, err
	}
	before, err := r.stateBefore(event, given)
	if err != nil {
		return nil, err
	}
	how := taking{judgement: j}
	r.decide(sender, event, before, &how)
	taken, err := r.take(event, before, how)
	if err != nil {
		return nil, err
	}
	if j != nil && r.rooms.Pseudonym.Handle(event.Membership(), *j) == pseudonym.Drop {
		r.rooms.Log.Info("an event was dropped", "room", r.id, "event", event.ID(), "why", taken.Rejected)
		return taken, nil
	}
	return taken, taken.refusal()
}

// decide decides whether an event that sender delivered is accepted, rejected or soft-failed.
func (r *Room) decide(sender string, event *pdu.Event, before rules.State, how *taking) {
	applied := r.rules()
	if err := r.checkAuth(event, before); err != nil {
		how.rejected = err.Error()
		return
	}
	if r.closedTo(event, how.judgement, before) {
		how.rejected = errClosed.Error()
		return
	}
	if how.judgement != nil {
		how.rejected = r.refuses(sender, event, *how.judgement, false)
		how.concealed = r.conceals(event, *how.judgement)
		if how.rejected != "" {
			return
		}
	}
	// Other servers may admit a key that this one does not, so the event stays in the DAG.
	how.softFailed = applied.Allowed(event, r.current.state) != nil || !r.admits(event, how.judgement)
}

// errClosed is why a room that does not federate is closed to a member whose domain is not proven.
var errClosed = errors.New("the room does not federate, and the mapping that would tell the member's domain is not proven")

// closedTo reports whether a room is closed to the sender of its own member event because it does not federate: where rule 3
// goes by mappings, one that is not proven tells no domain.
func (r *Room) closedTo(event *pdu.Event, j *pseudonym.Judgement, state rules.State) bool {
	if r.rooms.Pseudonym.Readings.ByDomain == "not-applied" || j == nil || j.Verdict == pseudonym.Verified {
		return false
	}
	create := state.Create()
	member, _ := event.StateKey()
	return member == event.Sender() && create != nil && create.Content("m.federate").Type == gjson.False
}

// refuses returns why a member event of a pseudonymous room is refused for its mapping, or "". sender is the server that delivered it: ""
// for none, if this server asked for it. Then only the mapping counts, whichever server answered.
func (r *Room) refuses(sender string, event *pdu.Event, j pseudonym.Judgement, bySendJoin bool) string {
	if why := r.refusesMapping(event, j); why != "" {
		return why
	}
	if event.Membership() == "join" && sender != "" && !r.rooms.Pseudonym.MayDeliver(sender, j.Mapping, bySendJoin) {
		return fmt.Sprintf("%s may not deliver the join of %s", sender, j.Mapping.UserID)
	}
	return ""
}

// refusesMapping returns why a member event is refused for its mapping, whoever delivers it, or "".
func (r *Room) refusesMapping(event *pdu.Event, j pseudonym.Judgement) string {
	if handling := r.rooms.Pseudonym.Handle(event.Membership(), j); handling == pseudonym.Refuse || handling == pseudonym.Drop {
		return fmt.Sprintf("its mapping is not honoured (%s): %v", j.Cause, j.Err)
	}
	return ""
}

// conceals reports whether a member event is hidden from clients for its mapping.
func (r *Room) conceals(event *pdu.Event, j pseudonym.Judgement) bool {
	return r.rooms.Pseudonym.Handle(event.Membership(), j) == pseudonym.Conceal
}

// admits reports whether a user may join with the key of an event, given the user's other keys in the room.
func (r *Room) admits(event *pdu.Event, j *pseudonym.Judgement) bool {
	key, _ := event.StateKey()
	return j == nil || event.Membership() != "join" || j.Verdict != pseudonym.Verified ||
		r.directory.Admits(j.Mapping.UserID, identity.SenderKey(key))
}

// stateBefore returns the state before an event, resolved from the states after its prev events; given stands in for
// those that are unknown. The lock must be held.
func (r *Room) stateBefore(event *pdu.Event, given rules.State) (rules.State, error) {
	var states []rules.State
	if given != nil {
		states = append(states, given)
	}
	for _, id := range event.PrevEvents() {
		if known := r.events[id]; known != nil && !known.Outlier() {
			states = append(states, known.after.state)
		}
	}
	if len(states) == 0 {
		return nil, fmt.Errorf("none of the events before %s is known", event.ID())
	}
	return r.resolve(states, nil)
}

// stateGiven requests the state before an event, with its auth chain, if a prev event is unknown.
func (r *Room) stateGiven(ctx context.Context, origin string, event *pdu.Event) (rules.State, []outlier, error) {
	if len(r.missing(event.PrevEvents())) == 0 {
		return nil, nil, nil
	}
	answer, err := r.rooms.Remote.State(ctx, origin, r.id, event.ID())
	if err != nil {
		return nil, nil, fmt.Errorf("events before %s are not known, nor is the state there: %w", event.ID(), err)
	}
	return r.stateOf(ctx, answer.PDUs, answer.AuthChain)
}

// stateOf parses a state and its auth chain from another server. Events that are invalid or rejected are left out of
// the state.
func (r *Room) stateOf(ctx context.Context, state, chain []json.RawMessage) (rules.State, []outlier, error) {
	outliers, ids := r.readOutliers(ctx, slices.Concat(chain, state), nil)
	byID := map[string]outlier{}
	for _, one := range outliers {
		byID[one.event.ID()] = one
	}
	given := rules.State{}
	for _, id := range ids[len(chain):] {
		event, rejected := byID[id].event, byID[id].rejected
		if known := r.Event(id); event == nil && known != nil {
			event, rejected = known.Event, known.Rejected
		}
		if event == nil || rejected != "" {
			continue
		}
		if key, ok := event.State(); ok {
			given[key] = event
		}
	}
	if given.Create() == nil {
		return nil, nil, errors.New("the state in the response has no valid create event")
	}
	return given, outliers, nil
}

// withAuthEvents adds the auth events of an event that are unknown.
func (r *Room) withAuthEvents(ctx context.Context, origin string, event *pdu.Event, outliers []outlier) ([]outlier, error) {
	there := func(id string) bool {
		return r.Event(id) != nil || slices.ContainsFunc(outliers, func(o outlier) bool { return o.event.ID() == id })
	}
	if !slices.ContainsFunc(event.AuthEvents(), func(id string) bool { return !there(id) }) {
		return outliers, nil
	}
	chain, err := r.rooms.Remote.EventAuth(ctx, origin, r.id, event.ID())
	if err != nil {
		return nil, fmt.Errorf("an auth event of %s is unknown, and %s did not return it: %w", event.ID(), origin, err)
	}
	further, _ := r.readOutliers(ctx, chain, outliers)
	outliers = append(outliers, further...)
	for _, id := range event.AuthEvents() {
		if !there(id) {
			return nil, fmt.Errorf("auth event %s of %s is not known, and %s did not give it", id, event.ID(), origin)
		}
	}
	return outliers, nil
}

// readOutliers parses outliers and sorts them so that each comes after its auth events; before are further outliers
// that may be among those. Each is checked by its own auth events. Events that cannot be parsed, or whose auth events
// are missing, are left out. ids has the ID of each event in the list, or "" where it cannot be parsed.
func (r *Room) readOutliers(ctx context.Context, list []json.RawMessage, before []outlier) (ordered []outlier, ids []string) {
	ids = make([]string, len(list))
	read := map[string]*pdu.Event{}
	judged := map[string]*pseudonym.Judgement{}
	var mu sync.Mutex
	var reading sync.WaitGroup
	for i, one := range list { // concurrently: each may wait for a server's keys
		reading.Go(func() {
			event, err := pdu.Parse(one, r.format)
			if err != nil {
				return
			}
			ids[i] = event.ID()
			if event.RoomID() != r.id || r.Event(event.ID()) != nil {
				return
			}
			event, err = r.check(ctx, event)
			if err != nil {
				return
			}
			j := r.judge(event)
			mu.Lock()
			defer mu.Unlock()
			read[event.ID()], judged[event.ID()] = event, j
		})
	}
	reading.Wait()

	known := map[string]*outlier{}
	for _, one := range before {
		known[one.event.ID()] = &one
	}
	var add func(id string) bool
	add = func(id string) bool {
		if r.Event(id) != nil || known[id] != nil {
			return true
		}
		event := read[id]
		if event == nil {
			return false
		}
		delete(read, id)
		for _, authID := range event.AuthEvents() {
			if !add(authID) {
				return false
			}
		}
		one := outlier{event: event, judgement: judged[id]}
		one.rejected = r.rejectsOutlier(event, known, judged)
		if one.judgement != nil && one.rejected == "" {
			one.concealed = r.conceals(event, *one.judgement)
			one.rejected = r.refusesMapping(event, *one.judgement)
		}
		known[id] = &one
		ordered = append(ordered, one)
		return true
	}
	for _, id := range ids {
		if id != "" {
			add(id)
		}
	}
	return ordered, ids
}

// rejectsOutlier returns why an outlier is rejected by its own auth events, or "".
func (r *Room) rejectsOutlier(event *pdu.Event, known map[string]*outlier, judged map[string]*pseudonym.Judgement) string {
	var authEvents []*pdu.Event
	rejected := map[string]bool{}
	for _, id := range event.AuthEvents() {
		if one := known[id]; one != nil {
			authEvents = append(authEvents, one.event)
			rejected[id] = one.rejected != ""
		} else if one := r.Event(id); one != nil {
			authEvents = append(authEvents, one.Event)
			rejected[id] = one.Rejected != ""
		}
	}
	applied := r.rules()
	inRoom := applied.DomainOf
	applied.DomainOf = func(event *pdu.Event) (string, bool) { // a server that joins a room learns of its members only with these events
		for _, j := range judged {
			if j != nil && j.Verdict == pseudonym.Verified && string(j.Mapping.Key) == event.Sender() {
				domain, err := identity.UserIDDomain(j.Mapping.UserID)
				return domain, err == nil
			}
		}
		return inRoom(event)
	}
	if err := applied.CheckAuthEvents(event, authEvents, func(id string) bool { return rejected[id] }); err != nil {
		return err.Error()
	}
	return ""
}
