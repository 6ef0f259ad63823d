package rooms

// This file applies server access control lists (client-server API, m.room.server_acl).

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/reference/rules"
)

// ACLAllows reports whether the room's access control list allows a server.
func (r *Room) ACLAllows(server string) bool {
	return aclAllows(r.State(), server)
}

// aclAllows reports whether the access control list in a state allows a server. Ports are ignored, and a list without
// "allow" denies all servers.
func aclAllows(state rules.State, server string) bool {
	list := state.Get("m.room.server_acl", "")
	if list == nil {
		return true
	}
	host := hostOf(server)
	literals := list.Content("allow_ip_literals")
	if literals.Type == gjson.False && isIPLiteral(host) {
		return false
	}
	matches := func(name string) bool {
		return slices.ContainsFunc(list.Content(name).Array(), func(pattern gjson.Result) bool {
			return globMatches(pattern.String(), host)
		})
	}
	return !matches("deny") && matches("allow")
}

func hostOf(server string) string {
	if end := strings.LastIndex(server, "]"); strings.HasPrefix(server, "[") && end > 0 {
		return server[:end+1]
	}
	host, _, _ := strings.Cut(server, ":")
	return host
}

func isIPLiteral(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// globMatches reports whether text matches a pattern in which '*' matches anything and '?' one character, ignoring
// case.
func globMatches(pattern, text string) bool {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(quoted)
	matched, err := regexp.MatchString("(?is)^"+quoted+"$", text)
	return err == nil && matched
}
