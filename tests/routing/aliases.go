package routing

// The servers that are offered for an alias.

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/stage"
)

// Which servers are offered for an alias: those of verified mappings (MSC4014, Addressing the problems 2, has that for
// links), and whether the domain of an unproven one is among them. A client and a peer ask for it.
var _ = check.Register(check.Check{
	Name:     "which servers are offered for an alias",
	Requires: []string{"routing/alias-servers"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, unproven := s.Alice, s.Peer()
		answer := pushesUnproven(s.Stage, s.Room, unproven)
		barrier := s.Room.Says(s.Witness.User("witness"), "said after the join")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), barrier.ID())
		alias := "#" + strings.TrimPrefix(alice.UserID, "@")
		c.Need("client-view/directory", alice.CreateAlias(c.Context(), alias, s.Room.ID()))
		resolved, err := alice.ResolveAlias(c.Context(), alias)
		c.Need("client-view/directory", err)
		ctx, cancel := s.Witness.Within()
		defer cancel()
		uri := "/_matrix/federation/v1/query/directory?" + url.Values{"room_alias": {alias}}.Encode()
		queried, err := s.Witness.Do(ctx, s.ServerName(1), http.MethodGet, uri, nil)
		c.Need("client-view/directory", err)

		roles := map[string]string{s.ServerName(1): "its own", s.Witness.Name(): "a verified one", unproven.Name(): "an unproven one"}
		toClients, toPeers := offered(resolved.Get("servers"), roles), offered(queried.Get("servers"), roles)
		detail := fmt.Sprintf("servers offered to clients: %s, to peers: %s; the join of the unproven member was answered %s", toClients, toPeers, answer)
		readings := map[string]string{
			"its own": "own-only", "a verified one, its own": "verified-only", "a verified one, an unproven one, its own": "unproven-included",
		}
		reading, listed := readings[toClients]
		if !listed || toClients != toPeers {
			reading = "other"
		}
		c.Observe(reading, "%s", detail)
	},
})

// offered describes a list of servers by their roles, ordered.
func offered(servers gjson.Result, roles map[string]string) string {
	var described []string
	for _, server := range servers.Array() {
		role, known := roles[server.String()]
		if !known {
			role = "another one"
		}
		described = append(described, role)
	}
	slices.Sort(described)
	return strings.Join(described, ", ")
}
