package unverified

// Chapter unverified, what the text leaves open: requests for placeholders, their form and their names, notaries, and what
// clients are served.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// whyNot is why no reading could be seen: an error, or what else there is to say.
func whyNot(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

// shownAs is whom a user's client is shown as the sender of an event, "" when no view has it.
func shownAs(views []stage.View, eventID string) string {
	for _, view := range views {
		for _, event := range scenes.EventsOf(view, eventID) {
			return event.Get("sender").String()
		}
	}
	return ""
}

// All requests that involve the placeholder go through the reader's own homeserver, "providing a mechanism for
// client-initiated retries" (MSC4014, Changes from MSC1228 6.1).
var _ = check.Register(check.Check{
	Name:     "what client requests for a placeholder do",
	Requires: []string{"unverified/requests-stay-home"},
	Body: func(c *check.C) {
		h := openScene(stage.Open(c, blueprints.OneServer), closesConnections)
		m, refused := delivery.Send.Introduce(h.Scene, h.unverified)
		shown := shownAs(h.views(m), m.Said.ID())
		if refused != nil || pseudoid.ValidUserID(shown) != nil || shown == h.unverified.ID() {
			c.Observe(verdict.NoneSeen, "%s", whyNot(refused, fmt.Sprintf("there is no placeholder: the member shows as %q", shown)))
			return
		}
		asked := []struct {
			what string
			ask  func() (*csapi.Response, error)
		}{
			// Servers try again by themselves, too: what a request leads to is seen each time.
			{"GET /profile", func() (*csapi.Response, error) { return h.Alice.Profile(c.Context(), shown) }},
			{"GET /profile again", func() (*csapi.Response, error) { return h.Alice.Profile(c.Context(), shown) }},
			{"POST /keys/query", func() (*csapi.Response, error) { return h.Alice.QueryKeys(c.Context(), shown) }},
			{"POST /keys/query again", func() (*csapi.Response, error) { return h.Alice.QueryKeys(c.Context(), shown) }},
		}
		var led []string
		lookedUp, left := map[string]int{}, false
		for _, each := range asked {
			before := len(h.deadServer.Requests())
			_, err := each.ask()
			if csapi.NoAnswer(err) {
				c.Need("resilience/stays-up", err)
			}
			kind, _, _ := strings.Cut(each.what, " again")
			looked := false
			for _, request := range h.deadServer.Requests()[before:] {
				led = append(led, each.what+" led to "+request.String())
				if isLookUp(request) {
					looked = true
				} else {
					left = true
				}
			}
			if looked {
				lookedUp[kind]++
			}
		}
		detail := strings.Join(led, "; ")
		switch {
		case left:
			c.Observe("leave", "%s", detail)
		case lookedUp["GET /profile"] == 2 || lookedUp["POST /keys/query"] == 2:
			c.Observe("retry-verification", "%s", detail)
		default:
			c.Observe("stay-home", "profile and device keys of the placeholder were asked for twice; %s", orNothing(detail))
		}
	},
})

func orNothing(detail string) string {
	if detail == "" {
		return "nothing reached the claimed domain"
	}
	return detail
}

// isLookUp tells whether a request is for keys, or discovery.
func isLookUp(request federation.Request) bool {
	switch request.Endpoint {
	case federation.ServerKeys, federation.KeyQuery, federation.Version, federation.WellKnown:
		return true
	}
	return false
}

// The template is @_unverified_localpart_domain of the reader's server (MSC4014, Changes from MSC1228 6): no localpart has the
// colons of ports and IPv6 literals, no user ID more than 255 bytes, and nothing makes two members' placeholders differ.
var _ = check.Register(check.Check{
	Name:     "how placeholders are formed in odd cases",
	Requires: []string{"unverified/placeholder-form"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		h := openScene(s, closesConnections)
		m, refused := delivery.Send.Introduce(h.Scene, h.unverified)
		if refused != nil {
			c.Observe(verdict.NoneSeen, "%v", refused)
			return
		}
		first := shownAs(h.views(m), m.Said.ID())
		host, _, _ := strings.Cut(h.deadServer.Name(), ":")
		long := strings.Repeat("g", 255-len("@:"+h.deadServer.Name()))
		odd := []struct{ what, userID string }{
			{"a name with a port", "@erin:" + host + ":8450"},
			{"an IPv6 literal", "@erin:[::1]:8450"},
			{"a long localpart", "@" + long + ":" + h.deadServer.Name()},
			{"a second member of the same claim", h.unverified.ID()},
		}
		joins := make([]federation.Event, len(odd))
		var told error
		for i, each := range odd {
			join, err := m.Room.MemberTemplate(h.unverified, "join").WithKey(pseudoid.GenerateKeyPair()).Claiming(each.userID).
				MappingSignedBy(signerOf(h.deadServer, each.userID)).Build()
			if err != nil {
				c.SuiteError(err)
			}
			m.Room.Apply(join)
			joins[i], told = join, errors.Join(told, h.Sends(join))
		}
		after := m.Room.AppliesText(h.Carol, "said after the odd joins")
		if err := errors.Join(h.Sends(after), h.Sees(m.Room, after)); err != nil {
			c.Observe(verdict.NoneSeen, "%v", errors.Join(told, err))
			return
		}
		views := h.Alice.Views(m.Room.ID())
		forms := make([]string, len(odd))
		var details []string
		for i, each := range odd {
			shown := memberShownAs(views, joins[i].ID())
			form := formOf(shown, each.userID, s.ServerName(1))
			if each.userID == h.unverified.ID() && shown == first {
				form = formShared
			}
			forms[i] = form
			details = append(details, fmt.Sprintf("%s, %s, shows as %q (%s)", each.what, each.userID, shown, form))
		}
		c.Observe(readForms(forms[:3], forms[3]), "%s", strings.Join(details, "; "))
	},
})

// signerOf signs mappings in the name of a user ID's server: as the peer does where it is one, else by a key that nobody has.
func signerOf(peer *stage.Peer, userID string) federation.Signer {
	_, domain, _ := strings.Cut(userID, ":")
	if domain == peer.Name() {
		return peer.Signer()
	}
	return federation.Signer{Entity: domain, KeyID: federation.ServerKeyID, Key: pseudoid.GenerateKeyPair().Private}
}

// memberShownAs is whose member event clients are shown under an event ID, "" when no view has it.
func memberShownAs(views []stage.View, eventID string) string {
	for _, view := range views {
		for _, event := range scenes.EventsOf(view, eventID) {
			return event.Get("state_key").String()
		}
	}
	return ""
}

// The forms of a placeholder.
const (
	formHidden = "not shown"
	formLetter = "by the template"
	formLegal  = "a legal user ID"
	formShared = "as another member"
	formOther  = "no legal user ID"
)

func formOf(shown, claimed, own string) string {
	localpart, domain, _ := strings.Cut(strings.TrimPrefix(claimed, "@"), ":")
	switch {
	case shown == "":
		return formHidden
	case shown == "@_unverified_"+localpart+"_"+domain+":"+own:
		return formLetter
	case pseudoid.ValidUserID(shown) == nil && strings.HasSuffix(shown, ":"+own):
		return formLegal
	}
	return formOther
}

// readForms tells the reading from the forms of three odd names and of a second member of one claim.
func readForms(names []string, second string) string {
	all := func(form string) bool {
		return !slices.ContainsFunc(names, func(one string) bool { return one != form })
	}
	switch {
	case all(formLetter) && second == formShared:
		return "to-the-letter"
	case all(formLegal) && second == formLegal:
		return "legal-form"
	case all(formLegal) && second == formShared:
		return "legal-not-unique"
	case all(formHidden) && second == formHidden:
		return "no-placeholder"
	case all(formOther) && second == formOther:
		return "other"
	}
	return "differs-by-case"
}

// A user who could register such a name would look like a member who cannot be verified (MSC4014, Changes from MSC1228 6, does
// not say whether one can).
var _ = check.Register(check.Check{
	Name:     "whether a user can register a name like a placeholder",
	Requires: []string{"unverified/namespace"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		host, _, _ := strings.Cut(s.Peer().Name(), ":") // nobody had it before
		localpart := "_unverified_somebody_" + host
		user, err := s.Registers(localpart)
		refusal, refused := csapi.Refused(err)
		switch {
		case err == nil:
			c.Observe("free", "POST /register made %s", user)
		case refused:
			c.Observe("reserved", "%s: %v", localpart, refusal)
		default:
			c.Need("resilience/stays-up", err)
		}
	},
})

// Keys may be had of "perspective servers hosting keys for that server" (MSC4014, Proposal 4.2): here the server that brings
// the member's join, and is in the room, would answer as a notary.
var _ = check.Register(check.Check{
	Name:     "whether a notary is asked for the keys of a dead server",
	Requires: []string{"unverified/notary"},
	Body: func(c *check.C) {
		h := openScene(stage.Open(c, blueprints.OneServer), closesConnections)
		h.Origin.Handle(federation.KeyQuery, func(*federation.Request, func() federation.Answer) federation.Answer {
			document, err := h.deadServer.KeyDocument()
			if err == nil {
				notary := h.Origin.Signer()
				document, err = pseudoid.SignJSON(document, notary.Entity, notary.KeyID, notary.Key)
			}
			if err != nil {
				return federation.Refusal(http.StatusInternalServerError, "M_UNKNOWN", err.Error())
			}
			return federation.JSON(http.StatusOK, map[string]any{"server_keys": []json.RawMessage{document}})
		})
		m, refused := delivery.Send.Introduce(h.Scene, h.unverified)
		shown := shownAs(h.views(m), m.Said.ID())
		var asked []string
		for _, request := range h.Origin.Requests() {
			if request.Endpoint == federation.KeyQuery {
				asked = append(asked, request.String())
			}
		}
		detail := fmt.Sprintf("the member shows as %q", shown)
		if refused != nil {
			detail = refused.Error()
		}
		switch {
		case shown == h.unverified.ID():
			c.Observe("taken", "%s; %s", strings.Join(asked, "; "), detail)
		case len(asked) > 0:
			c.Observe("not-taken", "%s; %s", strings.Join(asked, "; "), detail)
		default:
			c.Observe("not-asked", "the server that brought the join was asked for no keys; %s", detail)
		}
	},
})

// MSC1228 asks whether unverified mappings should be removed before clients are served, "to stop client developers relying on
// it" (Handling the mxid mapping, Implementation).
var _ = check.Register(check.Check{
	Name:     "whether clients are served a mapping that is not verified",
	Requires: []string{"unverified/mapping-in-content"},
	Body: func(c *check.C) {
		seen := meetUnverified(c, closesConnections, delivery.Send)
		var with, without []string
		for _, view := range seen.views {
			for _, event := range scenes.EventsOf(view, seen.join) {
				if event.Get("content." + pseudoid.MappingField).Exists() {
					with = append(with, view.Name)
				} else {
					without = append(without, view.Name)
				}
			}
		}
		switch {
		case len(with)+len(without) == 0:
			c.Observe(verdict.NoneSeen, "%s", whyNot(seen.refused, "no client view has the member event"))
		case len(without) == 0:
			c.Observe("served", "in %s", strings.Join(with, ", "))
		case len(with) == 0:
			c.Observe("removed", "in %s", strings.Join(without, ", "))
		default:
			c.Observe("differs-by-view", "served in %s; removed in %s",
				strings.Join(with, ", "), strings.Join(without, ", "))
		}
	},
})
