package rooms

// This file sends events to the servers in a room.

import (
	"slices"

	"msc4014/reference/identity"
	"msc4014/reference/pseudonym"
	"msc4014/reference/store"
)

// serversNow returns the servers in the room, with the directory entries that they follow from in a pseudonymous room.
// The lock must be held.
func (r *Room) serversNow() ([]string, []pseudonym.Entry) {
	entries := r.routed()
	return r.serversIn(r.current.state, entries), entries
}

// Audience returns the other servers in the room, which get EDUs about it.
func (r *Room) Audience() []string {
	servers := r.Servers()
	return slices.DeleteFunc(servers, func(server string) bool { return server == r.rooms.Server.Name })
}

// routed returns the directory entries that decide which servers are in the room.
func (r *Room) routed() []pseudonym.Entry {
	return r.directory.Entries()
}

// send queues an event for the servers in the room before or after it, without this one and those in but. The lock must
// be held.
func (r *Room) send(tx *store.Tx, event *Event, serversBefore []string, before []pseudonym.Entry, but []string) {
	destinations := r.destinations(event, serversBefore, before)
	destinations = slices.DeleteFunc(destinations, func(server string) bool {
		return server == r.rooms.Server.Name || slices.Contains(but, server) || !aclAllows(r.current.state, server)
	})
	if len(destinations) > 0 {
		r.rooms.Remote.SendEvent(tx, event.JSON(), destinations)
	}
}

// destinations returns the servers that an event is sent to, sorted. A member event also goes to the member's server,
// except for an invite, which that server has already signed.
func (r *Room) destinations(event *Event, serversBefore []string, before []pseudonym.Entry) []string {
	member, isState := event.StateKey()
	isMember := isState && event.Type() == memberType && event.Membership() != "invite"
	if r.format.Pseudonymous {
		if !isMember {
			member = ""
		}
		return r.rooms.Pseudonym.Destinations(before, r.routed(), identity.SenderKey(member))
	}
	servers := slices.Concat(serversBefore, r.serversIn(r.current.state, nil))
	if domain, err := identity.UserIDDomain(member); isMember && err == nil {
		servers = append(servers, domain)
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}
