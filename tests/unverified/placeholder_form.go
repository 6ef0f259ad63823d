package unverified

// How placeholders are formed, and whether users can register their names.

import (
	"fmt"
	"slices"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// The template is @_unverified_localpart_domain of the reader's server (MSC4014, Changes from MSC1228 6): no localpart has the
// colons of ports and IPv6 literals, no user ID more than 255 bytes, and nothing makes two members' placeholders differ.
var _ = check.Register(check.Check{
	Name:     "how placeholders are formed in odd cases",
	Requires: []string{"unverified/placeholder-form"},
	Body: func(c *check.C) {
		s := openScene(stage.Open(c, blueprints.OneServer), closesConnections)
		claims := s.oddClaims()
		m := s.introduces(s.joinsOf(claims)...)
		if m.refused != nil {
			c.Observe(verdict.NoneSeen, "%v", m.refused)
			return
		}
		first := shownAs(s.views(m.Introduction), m.Said.ID(), "sender")
		views := s.Alice.Views(m.Room.ID())
		forms := make([]string, len(claims))
		var details []string
		for i, claim := range claims {
			shown := shownAs(views, m.Others[i].ID(), "state_key")
			forms[i] = formOf(shown, claim.userID, s.ServerName(1))
			if claim.userID == s.unverified.ID() && shown == first {
				forms[i] = formShared
			}
			details = append(details, fmt.Sprintf("%s, %s, shows as %q (%s)", claim.what, claim.userID, shown, forms[i]))
		}
		c.Observe(readForms(forms[:3], forms[3]), "%s", strings.Join(details, "; "))
	},
})

// oddClaim is a user ID for whose placeholder the template has no answer.
type oddClaim struct{ what, userID string }

// oddClaims are three odd user IDs, and the one that the unverified member claims already.
func (s *scene) oddClaims() []oddClaim {
	host, _, _ := strings.Cut(s.deadServer.Name(), ":")
	long := strings.Repeat("g", 255-len("@:"+s.deadServer.Name()))
	return []oddClaim{
		{"a name with a port", "@erin:" + host + ":8450"},
		{"an IPv6 literal", "@erin:[::1]:8450"},
		{"a long localpart", "@" + long + ":" + s.deadServer.Name()},
		{"a second member of the same claim", s.unverified.ID()},
	}
}

// joinsOf makes a join for each claim, each by a new key.
func (s *scene) joinsOf(claims []oddClaim) (joins []delivery.Other) {
	for _, claim := range claims {
		joins = append(joins, func(room *stage.Room) federation.Template {
			return room.MemberTemplate(s.unverified, "join").WithKey(pseudoid.GenerateKeyPair()).Claiming(claim.userID).
				MappingSignedBy(signerOf(s.deadServer, claim.userID))
		})
	}
	return joins
}

// signerOf signs mappings in the name of the server of a user ID: as the peer does if it is that server, else by a key of
// nobody.
func signerOf(peer *stage.Peer, userID string) federation.Signer {
	_, domain, _ := strings.Cut(userID, ":")
	if domain == peer.Name() {
		return peer.Signer()
	}
	return federation.Signer{Entity: domain, KeyID: federation.ServerKeyID, Key: pseudoid.GenerateKeyPair().Private}
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

// readForms returns the reading from the forms of three odd user IDs and of a second member of one claim.
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
		host, _, _ := strings.Cut(s.Peer().Name(), ":") // a name that is new
		localpart := "_unverified_somebody_" + host
		_, err := s.Registers("deliberatelysomebody_" + host) // as long, and of the same characters
		c.Control(err)
		user, err := s.Registers(localpart)
		refusal, refused := csapi.Refused(err)
		switch {
		case err == nil:
			c.Observe("free", "POST /register made %s", user)
		case refused:
			c.Observe("reserved", "%s: %v; %s", localpart, refusal, underscores(s, "_deliberate_somebody_"+host))
		default:
			c.Need("resilience/stays-up", err)
		}
	},
})

// underscores tells whether names that begin with an underscore are refused alike: then servers reserve more than placeholders.
func underscores(s *stage.Stage, localpart string) string {
	_, err := s.Registers(localpart)
	refusal, refused := csapi.Refused(err)
	switch {
	case err == nil:
		return localpart + " is not"
	case refused:
		return fmt.Sprintf("so is %s, which is not like a placeholder: %v", localpart, refusal)
	}
	s.C.Need("resilience/stays-up", err)
	return ""
}
