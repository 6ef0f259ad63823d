package rooms

// This file adds an event to a room: it assigns a position, updates the forward extremities, the current state and the
// directory, applies redactions, and stores the result, all in one step that clients see as a whole.

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
	"msc4014/reference/store"
)

// taking has the circumstances under which an event is added.
type taking struct {
	rejected    string
	softFailed  bool
	concealed   bool
	backfilled  bool
	judgement   *pseudonym.Judgement // of a member event in a pseudonymous room
	device      string
	transaction string
	also        func(tx *store.Tx, eventID string) // called in the same Update; may be nil
	// joined means that the event is the join by which the server enters the room, so the earlier extremities are
	// dropped.
	joined bool
	// send sends the event to the servers in the room before it and after it, except those in but.
	send bool
	but  []string
}

// outlier is an event that is only known as an auth event or state of others, with the judgement of its mapping.
type outlier struct {
	event     *pdu.Event
	rejected  string
	judgement *pseudonym.Judgement
	concealed bool
}

// take adds an event to the room. before is the state before it. It returns the stored event. The lock must be held.
func (r *Room) take(event *pdu.Event, before rules.State, how taking) (*Event, error) {
	known := r.events[event.ID()]
	if known != nil && !known.Outlier() {
		return known, nil
	}
	taken := &Event{
		Event: event, Rejected: how.rejected, SoftFailed: how.softFailed, Concealed: how.concealed,
		Device: how.device, Transaction: how.transaction,
	}
	if how.judgement != nil {
		taken.Verdict, taken.Cause = how.judgement.Verdict, how.judgement.Cause
	}
	taken.before = r.rooms.pool.of(before)
	taken.after = taken.before
	if key, isState := event.State(); isState && how.rejected == "" {
		after := maps.Clone(before)
		after[key] = event
		taken.after = r.rooms.pool.of(after)
	}
	heads, current, err := r.endWith(taken, how)
	if err != nil {
		return nil, err
	}
	taken.current = current
	servers, entries := r.serversNow()
	err = r.rooms.advance(func(tx *store.Tx, position int64) error {
		taken.Position = position
		if how.backfilled {
			taken.Position = r.lowest - 1
		}
		past := r.current
		r.events[event.ID()] = taken
		r.heads, r.current = heads, current
		r.index(taken)
		if how.backfilled { // index appends it
			r.order = append([]*Event{taken}, r.order[:len(r.order)-1]...)
		}
		r.remember(tx, taken)
		r.rooms.tables.rooms.Put(tx, r.id, roomRecord{Version: r.format.RoomVersion, Heads: heads, Current: current.id})
		r.learn(tx, taken, how, past)
		r.redact(tx, taken)
		if how.also != nil {
			how.also(tx, event.ID())
		}
		if how.send && taken.Visible() {
			r.send(tx, taken, servers, entries, how.but)
		}
		return nil
	})
	return taken, err
}

// keepOutliers stores outliers that are not known yet. The lock must be held.
func (r *Room) keepOutliers(outliers []outlier) error {
	if len(outliers) == 0 {
		return nil
	}
	return r.rooms.Store.Update(func(tx *store.Tx) error {
		for _, one := range outliers {
			if r.events[one.event.ID()] != nil {
				continue
			}
			kept := &Event{Event: one.event, Rejected: one.rejected, Concealed: one.concealed}
			if one.judgement != nil {
				kept.Verdict, kept.Cause = one.judgement.Verdict, one.judgement.Cause
			}
			r.events[one.event.ID()] = kept
			r.remember(tx, kept)
		}
		return nil
	})
}

// endWith returns the forward extremities after an event, and the room's state there: that of a single extremity, or
// the resolution of several (server-server API, "Room state resolution").
func (r *Room) endWith(taken *Event, how taking) (heads []string, current *snapshot, err error) {
	if !taken.Visible() || how.backfilled {
		return r.heads, r.current, nil
	}
	heads = slices.DeleteFunc(slices.Clone(r.heads), func(id string) bool { return how.joined || slices.Contains(taken.PrevEvents(), id) })
	if !r.referenced[taken.ID()] { // otherwise it already has successors
		heads = append(heads, taken.ID())
	}
	if len(heads) == 1 && heads[0] == taken.ID() {
		return heads, taken.after, nil
	}
	var states []rules.State
	for _, id := range heads {
		if id == taken.ID() {
			states = append(states, taken.after.state)
		} else {
			states = append(states, r.events[id].after.state)
		}
	}
	if r.referenced[taken.ID()] { // it arrived late, and may still change the resolution
		states = append(states, r.current.state)
	}
	resolved, err := r.resolve(states, taken)
	if err != nil {
		return nil, nil, err
	}
	return heads, r.rooms.pool.of(resolved), nil
}

// resolve resolves states of the room; extra is an event that is about to be added, or nil.
func (r *Room) resolve(states []rules.State, extra *Event) (rules.State, error) {
	first := states[0]
	if !slices.ContainsFunc(states, func(s rules.State) bool { return !maps.Equal(s, first) }) {
		return first, nil
	}
	return r.rules().Resolve(states, history{r, extra})
}

// rules returns the rules of the room.
func (r *Room) rules() rules.Rules {
	applied := rules.Rules{Pseudonym: r.rooms.Pseudonym}
	applied.DomainOf = func(event *pdu.Event) (string, bool) {
		userID, ok := r.directory.Verified(identity.SenderKey(event.Sender()))
		if !ok { // a joining user names itself in the join; whether that is true is judged separately
			userID = claimedBy(event)
		}
		domain, err := identity.UserIDDomain(userID)
		return domain, err == nil
	}
	return applied
}

// history is the history of the room for state resolution.
type history struct {
	room  *Room
	extra *Event
}

func (h history) Event(id string) *pdu.Event {
	if h.extra != nil && h.extra.ID() == id {
		return h.extra.Event
	}
	if event := h.room.events[id]; event != nil {
		return event.Event
	}
	return nil
}

// Rejected reports whether an event was rejected.
func (h history) Rejected(id string) bool {
	event := h.room.events[id]
	return event != nil && event.Rejected != ""
}

// remember stores an event.
func (r *Room) remember(tx *store.Tx, event *Event) {
	record := eventRecord{
		JSON: event.JSON(), Position: event.Position, Rejected: event.Rejected, SoftFailed: event.SoftFailed,
		Concealed: event.Concealed, Verdict: event.Verdict, Cause: event.Cause, Device: event.Device, Transaction: event.Transaction,
	}
	if !event.Outlier() {
		for _, one := range []*snapshot{event.before, event.after, event.current} {
			r.rooms.pool.put(tx, one)
		}
		record.Before, record.After, record.Current = event.before.id, event.after.id, event.current.id
	}
	r.rooms.tables.events.Put(tx, store.Key(r.id, event.ID()), record)
}

// learn records in the directory of a pseudonymous room the member events that entered the current state, and the one
// that was added. When the server joins the room, it also records the member events in the auth chain of the state:
// members that set state may have left. Events are recorded oldest first, by depth, time and ID, which matters if two keys
// claim one user.
func (r *Room) learn(tx *store.Tx, taken *Event, how taking, past *snapshot) {
	if !r.format.Pseudonymous {
		return
	}
	var changed []*Event
	for key, event := range r.current.state {
		if key.Type == memberType && past.state[key] != event {
			changed = append(changed, r.events[event.ID()])
		}
	}
	if taken.Type() == memberType && taken.Visible() && !slices.Contains(changed, taken) {
		changed = append(changed, taken)
	}
	if how.joined {
		changed = append(changed, r.formerMemberEvents()...)
	}
	slices.SortFunc(changed, func(a, b *Event) int {
		return cmp.Or(cmp.Compare(a.Depth(), b.Depth()), cmp.Compare(a.OriginServerTS(), b.OriginServerTS()), cmp.Compare(a.ID(), b.ID()))
	})
	for _, event := range changed {
		key, _ := event.StateKey()
		current := r.current.state.Member(key)
		j := event.judgement()
		if event == taken && how.judgement != nil {
			j = *how.judgement
		}
		j = r.ownersJudgement(key, j)
		seen := pseudonym.Seen{
			Key: identity.SenderKey(key), EventID: event.ID(), Membership: event.Membership(), Position: taken.Position,
			Current: current != nil && current.ID() == event.ID(), Judgement: j, Concealed: event.Concealed,
			ByOther:  event.Sender() != key,
			Unhashed: errors.Is(event.CheckContentHash(), pdu.ErrContentHash),
		}
		r.keep(tx, r.directory.Learn(seen), taken.Position)
		r.noteMapping(tx, event)
	}
}

// formerMemberEvents returns the member events that are known as outliers but not in the current state; those of members that have
// left only if their mappings are used.
func (r *Room) formerMemberEvents() []*Event {
	var former []*Event
	for _, event := range r.events {
		key, isState := event.State()
		if !isState || event.Type() != memberType || !event.Outlier() || event.Rejected != "" {
			continue
		}
		now := r.current.state[key]
		if now == nil || now.ID() != event.ID() && r.rooms.Pseudonym.UsesFormer(now.Membership()) {
			former = append(former, event)
		}
	}
	return former
}

// ownersJudgement returns the judgement of a member event, corrected by this server's own keys: it knows their users,
// whatever an event claims. For other keys it returns j.
func (r *Room) ownersJudgement(key string, j pseudonym.Judgement) pseudonym.Judgement {
	if j.Verdict == pseudonym.Verified && !r.rooms.own(j.Mapping.UserID) {
		return j
	}
	userID, own := r.ownerOf(key)
	if !own || j.Verdict == pseudonym.Verified && j.Mapping.UserID == userID {
		return j
	}
	mapping := pdu.Mapping{Dialect: r.rooms.Pseudonym.Dialect, Key: identity.SenderKey(key), UserID: userID}
	return pseudonym.Judgement{Verdict: pseudonym.Verified, Mapping: mapping}
}

// judgement returns the judgement of a member event on arrival.
func (e *Event) judgement() pseudonym.Judgement {
	mapping, _, _ := e.Mapping() // a malformed mapping names no user
	return pseudonym.Judgement{Verdict: e.Verdict, Cause: e.Cause, Mapping: mapping}
}

// keep stores a changed directory entry, and marks a member event to be sent to clients again if the change says so.
func (r *Room) keep(tx *store.Tx, change pseudonym.Change, position int64) {
	if change.Entry.Key == "" {
		return
	}
	r.rooms.tables.entries.Put(tx, store.Key(r.id, string(change.Entry.Key)), change.Entry)
	if change.Resend != "" {
		r.resent = append(r.resent, resent{position, change.Resend})
		r.rooms.tables.resent.Put(tx, store.Key(r.id, positionKey(position), change.Resend), true)
	}
}

// redact applies redactions: the event, if it is one, and those that arrived before the event that they redact (room
// version 3, "Handling redactions").
func (r *Room) redact(tx *store.Tx, taken *Event) {
	if !taken.Visible() {
		return
	}
	if target := taken.Redacts(); taken.Type() == redactionType && r.events[target] != nil {
		r.redactBy(tx, taken, r.events[target])
	}
	for _, id := range r.redactions[taken.ID()] {
		r.redactBy(tx, r.events[id], taken)
	}
}

func (r *Room) redactBy(tx *store.Tx, redaction, target *Event) {
	if r.redacted[target.ID()] != "" || !r.mayRedact(redaction, target) {
		return
	}
	r.redacted[target.ID()] = redaction.ID()
	r.rooms.tables.redacted.Put(tx, store.Key(r.id, target.ID()), redaction.ID())
}

// mayRedact reports whether a redaction takes effect.
func (r *Room) mayRedact(redaction, target *Event) bool {
	if target.Type() == createType || redaction.RoomID() != target.RoomID() {
		return false
	}
	state := redaction.before.state
	if !r.format.Pseudonymous {
		return r.rules().MayRedact(redaction.Event, target.Event, state)
	}
	levels, redactor, author := state.PowerLevels(), redaction.Sender(), target.Sender()
	return r.rooms.Pseudonym.MayRedact(identity.SenderKey(redactor), identity.SenderKey(author), levels.Of(redactor), levels.For("redact"), r.directory)
}

// contentOf returns the content of an event as JSON.
func contentOf(event *pdu.Event) []byte { return []byte(event.Field("content").Raw) }
