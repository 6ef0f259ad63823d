package unverified

// Whether the keys of a dead server are requested from a notary.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// Keys may be had of "perspective servers hosting keys for that server" (MSC4014, Proposal 4.2): here the server that
// delivers the member's join, and is in the room, would answer as a notary.
var _ = check.Register(check.Check{
	Name:     "whether a notary is asked for the keys of a dead server",
	Requires: []string{"unverified/notary"},
	Body: func(c *check.C) {
		s := openScene(stage.Open(c, blueprints.OneServer), closesConnections)
		s.answersAsNotary()
		m := s.introduces()
		shown := shownAs(s.views(m.Introduction), m.Said.ID(), "sender")
		var asked []string
		for _, request := range s.Origin.Requests() {
			if request.Endpoint == federation.KeyQuery {
				asked = append(asked, request.String())
			}
		}
		detail := fmt.Sprintf("the member shows as %q", shown)
		if m.refused != nil {
			detail = m.refused.Error()
		}
		switch {
		case shown == s.unverified.ID():
			c.Observe("taken", "%s; %s", strings.Join(asked, "; "), detail)
		case len(asked) > 0:
			c.Observe("not-taken", "%s; %s", strings.Join(asked, "; "), detail)
		default:
			c.Observe("not-asked", "the server that delivered the join was asked for no keys; %s", detail)
		}
	},
})

// answersAsNotary makes Origin answer requests for the keys of the dead server.
func (s *scene) answersAsNotary() {
	s.Origin.Handle(federation.KeyQuery, func(*federation.Request, func() federation.Answer) federation.Answer {
		document, err := s.deadServer.KeyDocument()
		if err == nil {
			notary := s.Origin.Signer()
			document, err = pseudoid.SignJSON(document, notary.Entity, notary.KeyID, notary.Key)
		}
		if err != nil {
			return federation.Refusal(http.StatusInternalServerError, "M_UNKNOWN", err.Error())
		}
		return federation.JSON(http.StatusOK, map[string]any{"server_keys": []json.RawMessage{document}})
	})
}
