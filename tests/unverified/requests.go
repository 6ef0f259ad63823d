package unverified

// What requests of clients that involve a placeholder lead to.

import (
	"fmt"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// All requests that involve the placeholder go through the reader's own homeserver, "providing a mechanism for
// client-initiated retries" (MSC4014, Changes from MSC1228 6.1).
var _ = check.Register(check.Check{
	Name:     "what client requests for a placeholder do",
	Requires: []string{"unverified/requests-stay-home"},
	Body: func(c *check.C) {
		s := openScene(stage.Open(c, blueprints.OneServer), closesConnections)
		m := s.introduces()
		shown := shownAs(s.views(m.Introduction), m.Said.ID(), "sender")
		if m.refused != nil || pseudoid.ValidUserID(shown) != nil || shown == s.unverified.ID() {
			c.Observe(verdict.NoneSeen, "%s", whyNot(m.refused, fmt.Sprintf("there is no placeholder: the member shows as %q", shown)))
			return
		}
		profile := func() (*csapi.Response, error) { return s.Alice.Profile(c.Context(), shown) }
		keys := func() (*csapi.Response, error) { return s.Alice.QueryKeys(c.Context(), shown) }
		// Servers retry by themselves, too: a client's request counts as a retry if each of two leads to a look-up.
		profiles, keyQueries := s.sendsTwice("GET /profile", profile), s.sendsTwice("POST /keys/query", keys)
		detail := strings.Join(append(profiles.requests, keyQueries.requests...), "; ")
		switch {
		case profiles.left || keyQueries.left:
			c.Observe("leave", "%s", detail)
		case profiles.lookUps == 2 || keyQueries.lookUps == 2:
			c.Observe("retry-verification", "%s", detail)
		case detail == "":
			c.Observe("stay-home", "profile and device keys of the placeholder were asked for twice; nothing reached the claimed domain")
		default:
			c.Observe("stay-home", "profile and device keys of the placeholder were asked for twice; %s", detail)
		}
	},
})

// effect is what client requests led to.
type effect struct {
	requests []string // that the claimed domain received
	lookUps  int      // how many of the client requests led to look-ups of keys
	left     bool     // another request than a look-up reached the claimed domain
}

// sendsTwice sends a client request twice, and returns what the claimed domain received meanwhile.
func (s *scene) sendsTwice(what string, send func() (*csapi.Response, error)) (led effect) {
	for _, what := range []string{what, what + " again"} {
		before := len(s.deadServer.Requests())
		if _, err := send(); csapi.NoAnswer(err) {
			s.C.Need("resilience/stays-up", err)
		}
		looked := false
		for _, request := range s.deadServer.Requests()[before:] {
			led.requests = append(led.requests, what+" led to "+request.String())
			looked = looked || isLookUp(request)
			led.left = led.left || !isLookUp(request)
		}
		if looked {
			led.lookUps++
		}
	}
	return led
}

// isLookUp reports whether a request is for keys, or discovery.
func isLookUp(request federation.Request) bool {
	switch request.Endpoint {
	case federation.ServerKeys, federation.KeyQuery, federation.Version, federation.WellKnown:
		return true
	}
	return false
}
