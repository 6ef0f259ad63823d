package federation

// Queries: version, profiles, aliases, devices and keys of users, public rooms. The users of a peer have no devices
// unless a check answers otherwise.

import (
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

func (p *Peer) version(*Request) Answer {
	return JSON(http.StatusOK, map[string]any{"server": map[string]string{"name": "msc4014-peer", "version": "1"}})
}

// setAlias registers an alias (with its sigil and domain) of a room.
func (p *Peer) setAlias(alias string, room *Room) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.aliases[alias] = room
}

// knowsUser reports whether the peer has a user of that ID.
func (p *Peer) knowsUser(userID string) bool { return p.userByID(userID) != nil }

func unknownUser(userID string) Answer {
	return unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer has no user "+userID)
}

func (p *Peer) queryProfile(request *Request) Answer {
	user := p.userByID(request.Query.Get("user_id"))
	if user == nil {
		return unknownUser(request.Query.Get("user_id"))
	}
	profile := user.profile()
	if wanted := request.Query.Get("field"); wanted != "" {
		chosen := map[string]any{}
		if value, ok := profile[wanted]; ok {
			chosen[wanted] = value
		}
		profile = chosen
	}
	return JSON(http.StatusOK, profile)
}

func (p *Peer) queryDirectory(request *Request) Answer {
	alias := request.Query.Get("room_alias")
	p.mu.Lock()
	room := p.aliases[alias]
	p.mu.Unlock()
	if room == nil {
		return unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer has no alias "+alias)
	}
	return JSON(http.StatusOK, map[string]any{"room_id": room.id, "servers": room.joinedServers()})
}

func (p *Peer) userDevices(request *Request) Answer {
	userID := request.parameter(0)
	if !p.knowsUser(userID) {
		return unknownUser(userID)
	}
	return JSON(http.StatusOK, map[string]any{"user_id": userID, "stream_id": 1, "devices": []any{}})
}

func (p *Peer) userKeysQuery(request *Request) Answer {
	return p.userKeys(request, "device_keys")
}

func (p *Peer) userKeysClaim(request *Request) Answer {
	return p.userKeys(request, "one_time_keys")
}

// userKeys answers that the users have no keys. Unknown users are omitted and make the request unexpected.
func (p *Peer) userKeys(request *Request, fieldName string) Answer {
	found := map[string]any{}
	unknown := false
	gjson.GetBytes(request.Body, fieldName).ForEach(func(userID, _ gjson.Result) bool {
		if p.knowsUser(userID.String()) {
			found[userID.String()] = map[string]any{}
		} else {
			unknown = true
		}
		return true
	})
	answer := JSON(http.StatusOK, map[string]any{fieldName: found})
	answer.Unexpected = unknown
	return answer
}

func (p *Peer) publicRooms(*Request) Answer {
	return JSON(http.StatusOK, map[string]any{"chunk": []any{}, "total_room_count_estimate": 0})
}

func (p *Peer) hierarchy(request *Request) Answer {
	return Refusal(http.StatusNotFound, "M_NOT_FOUND", "this peer has no hierarchy of "+strings.TrimSpace(request.parameter(0)))
}
