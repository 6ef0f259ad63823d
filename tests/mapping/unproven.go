package mapping

// What becomes of a member event whose mapping is not proven.

import (
	"fmt"
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
)

// What may become of a member event whose mapping need not be honoured.
const (
	honoured    = "honoured"
	placeholder = "placeholder"
	hidden      = "accepted-hidden" // served to peers as state, and shown to no client
	refused     = "refused"
)

// fateOf returns what became of a join that claims a user ID: one of these, or as which other user it is shown. It needs a
// barrier before it.
func (s scene) fateOf(join federation.Event, claimed string) string {
	members, err := s.Alice.Members(s.C.Context(), s.Room.ID(), nil)
	s.C.Need("client-view/unmodified-client", err)
	for _, event := range members.Get("chunk").Array() {
		if event.Get("event_id").String() != join.ID() {
			continue
		}
		switch shown := event.Get("state_key").String(); {
		case shown == claimed:
			return honoured
		case strings.HasPrefix(shown, "@_unverified_"):
			return placeholder
		default:
			return "shown as " + shown
		}
	}
	if delivery.ServesLaterJoiner(s.Stage, s.Room.ID(), join.ID()) {
		return hidden
	}
	return refused
}

// pushJoin delivers a join of a user in a transaction, and returns what became of it and whether the server answered with an
// error.
func (s scene) pushJoin(user *federation.User, join federation.Event) (fate string, refusal bool) {
	answer, err := s.Room.Pushes(join)
	s.C.Need("resilience/stays-up", err)
	s.Barrier()
	return s.fateOf(join, user.ID()), !answer.OK() || answer.PDUErrors[join.ID()] != ""
}

// What becomes of the event whose mapping is not honoured: MSC4014 (Changes 6) accepts an event whose sender cannot be
// verified, MSC1228 (Implementation) rejects one whose mapping is wrong, and neither speaks of a mapping that is missing or
// that proves nothing.
var _ = check.Register(check.Check{
	Name:     "what becomes of an unproven mapping",
	Requires: []string{"mapping/unproven-handling"},
	Path:     "send",
	Body: func(c *check.C) {
		s := openScene(c, bob, true)
		var forms []form
		for _, each := range joinLies {
			if each.verified { // the liar is known by another join, too
				continue
			}
			switch each.requirement {
			case "mapping/missing-not-honoured", "mapping/unsigned-not-honoured", "mapping/foreign-signature-not-honoured",
				"mapping/unknown-key-id-not-honoured":
				forms = append(forms, form{each.name, s.handles(len(forms), each.alter, each.claimed)})
			}
		}
		forms = append(forms, form{"a mapping without a user ID", s.handles(len(forms), func(honest federation.Template, _ scene) federation.Template {
			return honest.AlterMapping(federation.DeleteField("user_id"))
		}, nil)})
		if reading := s.handlesOtherKey(); reading != "" {
			forms = append(forms, form{"a mapping that names the key of another member, by send_join", reading})
		}
		observeForms(c, forms)
	},
})

// form is one form of an unproven mapping, and the reading that the server takes of it.
type form struct{ name, reading string }

// handles returns the reading that the server takes of one form of an unproven mapping.
func (s scene) handles(number int, alter alteration, claimed func(scene) string) string {
	liar := s.Origin.User(fmt.Sprintf("liar-%d", number))
	fate, refusal := s.pushJoin(liar, s.Room.Made(alter(s.Room.MemberTemplate(liar, "join"), s)))
	switch {
	case fate == honoured, claimed != nil && fate == "shown as "+claimed(s):
		return "other" // it is honoured: another check fails for it
	case fate == refused && !refusal:
		return "dropped"
	case fate == refused, fate == placeholder, fate == hidden:
		return fate
	}
	return "other"
}

// handlesOtherKey returns the reading of a mapping that names another member's key. It is delivered by send_join: deployed
// servers crash of it in a transaction (mapping/other-key-not-honoured). A refusal is "": the error in the answer says nothing
// there.
func (s scene) handlesOtherKey() string {
	liar := s.Origin.User("liar")
	ctx, cancel := s.Origin.Within()
	defer cancel()
	join := s.Room.Made(s.Room.MemberTemplate(liar, "join").NamingKey(s.Carol.KeyIn(s.Room.ID()).Public))
	answer, err := s.Origin.SendJoin(ctx, s.ServerName(1), s.Room.ID(), join)
	s.C.Need("resilience/stays-up", err)
	s.Barrier()
	s.C.Notef("the server answered the mapping of another member's key with %s", delivery.Short(answer.Answer))
	switch fate := s.fateOf(join, liar.ID()); fate {
	case refused:
		return ""
	case placeholder, hidden:
		return fate
	}
	return "other"
}

// observeForms observes the reading of all forms, or that it differs between them.
func observeForms(c *check.C, forms []form) {
	var details []string
	reading := forms[0].reading
	for _, each := range forms {
		details = append(details, each.name+": "+each.reading)
		if each.reading != reading {
			reading = "differs-by-form"
		}
	}
	c.Observe(reading, "%s", strings.Join(details, "; "))
}
