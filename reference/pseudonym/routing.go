package pseudonym

// This file decides which servers are in a room: by the verified mappings of its members, since keys name no server
// (MSC1228, Handling the mxid mapping).

import (
	"slices"

	"msc4014/reference/identity"
)

// domainOf returns the server of a claim, or "".
func domainOf(claim *Claim) string {
	if claim == nil {
		return ""
	}
	domain, err := identity.UserIDDomain(claim.UserID)
	if err != nil {
		return ""
	}
	return domain
}

// Servers returns the servers with a joined member, including this one, sorted by name: for outgoing messages, one
// needs to know which servers to send to (MSC1228, Handling, third reason). Only verified mappings count, otherwise
// anybody could have a room's events sent anywhere.
func Servers(entries []Entry) []string {
	var servers []string
	for _, entry := range entries {
		if domain := domainOf(entry.Verified); entry.Membership == membershipJoin && domain != "" {
			servers = append(servers, domain)
		}
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}

// Destinations returns the servers that an event is sent to, without this one: those in the room before it and after
// it, so that the event which ends a server's last membership still reaches it, and for a member event the member's
// server, since the member may be invited or knocking.
func (r Rules) Destinations(before, after []Entry, member identity.SenderKey) []string {
	servers := append(Servers(before), Servers(after)...)
	for _, entries := range [][]Entry{before, after} {
		for _, entry := range entries {
			if domain := domainOf(entry.Verified); entry.Key == member && domain != "" {
				servers = append(servers, domain)
			}
		}
	}
	slices.Sort(servers)
	servers = slices.DeleteFunc(slices.Compact(servers), func(server string) bool { return server == r.Server })
	return servers
}

// WasInRoom reports whether a server may ask for the room's history at all: mappings authorise other servers to do
// backfill requests, etc. (MSC1228, Handling, second reason). It must have, or have had, a joined member whose verified
// mapping names it; authorisation depends on the current location of the user, that is on the newest mapping
// (Implementation). Which events it gets is for the history visibility to decide.
func WasInRoom(entries []Entry, server string) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.WasJoined && domainOf(e.Verified) == server })
}

// AliasServers returns the servers that are offered with an alias or a link, this one first: the via= parameters are
// formed using verified mappings (MSC4014, Addressing 2; routing/alias-servers).
func (r Rules) AliasServers(entries []Entry) []string {
	servers := []string{r.Server}
	if r.Readings.AliasServers == "own-only" {
		return servers
	}
	others := Servers(entries)
	if r.Readings.AliasServers == "unproven-included" {
		for _, entry := range entries {
			if domain := domainOf(entry.Pending); entry.Membership == membershipJoin && domain != "" {
				others = append(others, domain)
			}
		}
	}
	slices.Sort(others)
	for _, server := range slices.Compact(others) {
		if server != r.Server {
			servers = append(servers, server)
		}
	}
	return servers
}
