package redaction

// However a client calls /redact, the mapping of a member stays.

import (
	"msc4014/helpers/check"
)

// clientRedactions are ways of calling /redact on the member events of a user: the severe redaction that takes a mapping away
// should not be triggered by any of them. A server may refuse a redaction, which takes nothing away.
var clientRedactions = []struct {
	name     string
	ofRemote bool
	redact   func(s *scene)
}{
	{"a user redacts its own member event", false, func(s *scene) { attempting{s.target.(local)}.redacts(s.joins[0]) }},
	{"a moderator redacts every member event of a local user", false, (*scene).renamesAndRedactsAll},
	{"a moderator redacts every member event of a remote user", true, (*scene).renamesAndRedactsAll},
	{"a moderator redacts a member event, the redaction, and the event again", true, func(s *scene) {
		alice := attempting{s.local(s.alice)}
		if redaction := alice.tries(s.joins[0]); redaction != "" {
			alice.redacts(redaction)
		}
		alice.redacts(s.joins[0])
	}},
}

func init() {
	for _, each := range clientRedactions {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"redaction/client-redact-never-purges"},
			Body: func(c *check.C) {
				s := openScene(c, false, each.ofRemote)
				s.moderator = attempting{s.local(s.alice)}
				each.redact(s)
				c.UnderTest()
				s.settles()
				s.keepsUserID()
				s.keepsRouting()
			},
		})
	}
}
