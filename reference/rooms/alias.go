package rooms

// This file manages the aliases of this server and its public room list.

import (
	"context"
	"fmt"
	"slices"

	"msc4014/reference/identity"
	"msc4014/reference/store"
)

// Alias is the room that an alias of this server points to, and the user that created it.
type Alias struct {
	RoomID  string `json:"room_id"`
	Creator string `json:"creator"`
}

// CreateAlias adds an alias of this server for a room.
func (rs *Rooms) CreateAlias(alias, roomID, userID string) error {
	return rs.Store.Update(func(tx *store.Tx) error {
		if _, taken := rs.tables.aliases.Get(alias); taken {
			return &Error{Status: 409, Code: "M_UNKNOWN", Text: fmt.Sprintf("the alias %s is taken", alias)}
		}
		rs.tables.aliases.Put(tx, alias, Alias{roomID, userID})
		return nil
	})
}

// DeleteAlias removes an alias. The user that created it may do so, and any user that may send the room's canonical
// alias.
func (rs *Rooms) DeleteAlias(alias, userID string) error {
	found, ok := rs.tables.aliases.Get(alias)
	if !ok {
		return NotFound("there is no alias %s", alias)
	}
	if found.Creator != userID {
		room := rs.Get(found.RoomID)
		sender := ""
		if room != nil {
			sender, _ = room.Sender(userID)
		}
		if room == nil || !room.maySendState(room.State(), sender, "m.room.canonical_alias") {
			return Forbidden("%s may not delete the alias %s", userID, alias)
		}
	}
	return rs.Store.Update(func(tx *store.Tx) error { rs.tables.aliases.Delete(tx, alias); return nil })
}

// AliasesOf returns the aliases of this server that point to a room.
func (rs *Rooms) AliasesOf(roomID string) []string {
	aliases := []string{}
	for alias, found := range rs.tables.aliases.All() {
		if found.RoomID == roomID {
			aliases = append(aliases, alias)
		}
	}
	return aliases
}

// LocalAlias returns the room of an alias of this server, and the servers through which it can be joined (MSC4014,
// Addressing 2).
func (rs *Rooms) LocalAlias(alias string) (roomID string, servers []string, ok bool) {
	found, ok := rs.tables.aliases.Get(alias)
	if !ok {
		return "", nil, false
	}
	servers = []string{rs.Server.Name}
	if room := rs.Get(found.RoomID); room != nil {
		servers = room.ViaServers()
	}
	return found.RoomID, servers, true
}

// ViaServers returns the servers through which the room can be joined, this one first.
func (r *Room) ViaServers() []string {
	if r.format.Pseudonymous {
		return r.rooms.Pseudonym.AliasServers(r.directory.Entries())
	}
	servers := slices.DeleteFunc(r.Servers(), func(server string) bool { return server == r.rooms.Server.Name })
	return append([]string{r.rooms.Server.Name}, servers...)
}

// ResolveAlias returns the room of an alias of this or another server.
func (rs *Rooms) ResolveAlias(ctx context.Context, alias string) (roomID string, servers []string, err error) {
	domain, err := identity.UserIDDomain("@" + alias[min(1, len(alias)):])
	if err != nil || alias[0] != '#' {
		return "", nil, Bad("M_INVALID_PARAM", "%q is not a room alias", alias)
	}
	if domain == rs.Server.Name {
		roomID, servers, ok := rs.LocalAlias(alias)
		if !ok {
			return "", nil, NotFound("there is no alias %s", alias)
		}
		return roomID, servers, nil
	}
	answer, err := rs.Remote.Directory(ctx, domain, alias)
	if err != nil {
		return "", nil, refusalOf(err)
	}
	return answer.RoomID, answer.Servers, nil
}

// moveAliases makes the aliases of a room point to another.
func (rs *Rooms) moveAliases(from, to string) error {
	return rs.Store.Update(func(tx *store.Tx) error {
		for alias, found := range rs.tables.aliases.All() {
			if found.RoomID == from {
				found.RoomID = to
				rs.tables.aliases.Put(tx, alias, found)
			}
		}
		return nil
	})
}

// SetListed adds a room to the server's public list, or removes it.
func (rs *Rooms) SetListed(roomID string, listed bool) error {
	return rs.Store.Update(func(tx *store.Tx) error {
		if listed {
			rs.tables.listed.Put(tx, roomID, true)
		} else {
			rs.tables.listed.Delete(tx, roomID)
		}
		return nil
	})
}

// Listed reports whether a room is in the server's public list.
func (rs *Rooms) Listed(roomID string) bool {
	listed, _ := rs.tables.listed.Get(roomID)
	return listed
}
