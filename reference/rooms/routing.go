package rooms

// This file sends events to the servers in a room.

import (
	"bytes"
	"slices"

	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/fault"
	"msc4014/reference/pseudonym"
	"msc4014/reference/store"
)

// serversNow returns the servers in the room, and the entries that say so in a pseudonymous one. The lock is held.
func (r *Room) serversNow() ([]string, []pseudonym.Entry) {
	entries := r.routed()
	return r.serversIn(r.current.state, entries), entries
}

// Audience returns the other servers that must hear of what is no event: those in the room.
func (r *Room) Audience() []string {
	servers := r.Servers()
	if r.rooms.Faults.Has(fault.FormerMembersHear) {
		entries := r.directory.Entries()
		for i := range entries {
			entries[i].Membership = "join"
		}
		servers = pseudonym.Servers(entries)
	}
	return slices.DeleteFunc(servers, func(server string) bool { return server == r.rooms.Server.Name })
}

// routed returns the entries of the directory that say which servers are in the room.
func (r *Room) routed() []pseudonym.Entry {
	entries := r.directory.Entries()
	if r.rooms.Faults.Has(fault.RoutedByFirstMapping) {
		r.mapFirst(entries)
	}
	if r.rooms.Faults.Has(fault.RoutingWithoutRedacted) {
		entries = slices.DeleteFunc(entries, func(entry pseudonym.Entry) bool { return r.redacted[entry.MemberEvent] != "" })
	}
	return entries
}

// mapFirst gives entries the first verified mapping of their key, for fault.RoutedByFirstMapping.
func (r *Room) mapFirst(entries []pseudonym.Entry) {
	for i, entry := range entries {
		for _, event := range r.order {
			key, isState := event.StateKey()
			mapping, mapped := pseudoid.MappingOf(event.JSON())
			if !isState || key != string(entry.Key) || event.Verdict != pseudonym.Verified || !mapped {
				continue
			}
			if parsed, err := pseudoid.ParseMapping(mapping); err == nil {
				entries[i].Verified = &pseudonym.Claim{UserID: parsed.UserID, Mapping: mapping, EventID: event.ID()}
			}
			break
		}
	}
}

// send queues an event for the servers that were in the room before it or are after it, but for this one and some. The
// lock is held.
func (r *Room) send(tx *store.Tx, event *Event, serversBefore []string, before []pseudonym.Entry, but []string) {
	destinations := r.destinations(event, serversBefore, before)
	destinations = slices.DeleteFunc(destinations, func(server string) bool {
		return server == r.rooms.Server.Name || slices.Contains(but, server) || !aclAllows(r.current.state, server)
	})
	parted := r.format.Pseudonymous && !slices.Contains(pseudonym.Servers(r.routed()), r.rooms.Server.Name)
	if r.rooms.Faults.Has(fault.PartingLeaveUnsent) && parted {
		return
	}
	if len(destinations) > 0 {
		r.rooms.Remote.SendEvent(tx, r.sent(event), destinations)
	}
}

// sent returns an event as it leaves for other servers: as it is, but for faults.
func (r *Room) sent(event *Event) []byte {
	key, isState := event.StateKey()
	changesProfile := isState && event.Type() == memberType && event.Membership() == "join" && event.before.state.Membership(key) == "join"
	field, value := "", ""
	switch faults := r.rooms.Faults; {
	case !r.format.Pseudonymous:
	case faults.Has(fault.PaddedKeyInRedactions) && event.Type() == redactionType:
		field, value = r.format.SenderField(), event.Sender()+"="
	case faults.Has(fault.ProfileChangeByUserID) && changesProfile:
		field, value = "state_key", r.directory.UserID(pseudoid.SenderKey(key))
	}
	if field == "" {
		return event.JSON()
	}
	changed, err := sjson.SetBytes(bytes.Clone(event.JSON()), field, value)
	if err != nil {
		return event.JSON()
	}
	return changed
}

// destinations returns where an event goes, in order. What becomes of a membership goes to the member's server, too, but
// for an invite: that server has it already, from the request for its signature.
func (r *Room) destinations(event *Event, serversBefore []string, before []pseudonym.Entry) []string {
	member, isState := event.StateKey()
	isMember := isState && event.Type() == memberType && event.Membership() != "invite"
	if r.format.Pseudonymous {
		if !isMember {
			member = ""
		}
		return r.rooms.Pseudonym.Destinations(before, r.routed(), pseudoid.SenderKey(member))
	}
	servers := slices.Concat(serversBefore, r.serversIn(r.current.state, nil))
	if domain, err := pseudoid.UserIDDomain(member); isMember && err == nil {
		servers = append(servers, domain)
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}
