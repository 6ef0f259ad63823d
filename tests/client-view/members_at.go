package clientview

import (
	"errors"
	"net/url"

	"msc4014/helpers/check"
	"msc4014/helpers/match"
)

// Clients ask who was in a room at an earlier point (client-server API, GET /members), and are told by user ID (MSC4014, hard
// requirement 1).
func init() {
	for _, from := range []origin{local, remote} {
		check.Register(check.Check{
			Name:     "/members at an earlier point shows the membership of " + string(from) + " then",
			Requires: []string{byStateKey.requirement},
			Path:     string(from),
			Slow:     inVain,
			Body:     func(c *check.C) { works(c, from, nil, []feature{{"/members at a point", company.wereMembers}}) },
		})
	}
}

// wereMembers lets the other leave, and asks for the members of before.
func (m company) wereMembers() error {
	before := m.alice.SyncToken()
	m.leaves()
	if _, err := m.alice.SeesMembership(m.roomID, m.other(), "leave"); err != nil {
		return err
	}
	var problems []error
	for at, membership := range map[string]string{before: "join", "": "leave"} {
		query := url.Values{}
		if at != "" {
			query.Set("at", at)
		}
		answer, err := m.alice.Members(m.C.Context(), m.roomID, query)
		if err == nil {
			err = match.Contains("chunk", match.Membership(m.other(), membership))(answer.JSON())
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
