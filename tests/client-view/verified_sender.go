package clientview

import (
	"cmp"

	"msc4014/helpers/check"
	"msc4014/helpers/foreign"
)

// The sender field is used instead of a verified_sender_mxid field (MSC4014, Changes from MSC1228 5).
var _ = check.Register(check.Check{
	Name:     "no view has verified_sender_mxid",
	Requires: []string{"client-view/no-verified-sender-field"},
	Slow:     collecting,
	Body: func(c *check.C) {
		v := view(c)
		for _, each := range endpoints {
			for _, body := range v.answers[each.name].bodies {
				if where := placeOf(body, "verified_sender_mxid"); where != "" {
					c.Errorf("%s has verified_sender_mxid in %s", each.name, where)
					break
				}
			}
		}
	},
})

// placeOf says where an answer has a member of that name, "" for nowhere.
func placeOf(body []byte, name string) (where string) {
	answer, err := foreign.Parse(body)
	if err != nil {
		return "" // the client reports that it is unusable
	}
	answer.Walk(func(at foreign.Place, _ foreign.Value) bool {
		if where == "" && at.Name().String() == name {
			where = cmp.Or(at.Parent(), "its top")
		}
		return where == ""
	})
	return where
}
