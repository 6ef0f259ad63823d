package mapping

// Malformed mappings: wrong types, nulls, excessive sizes, malformed user IDs and keys. They are not honoured, and no raw key
// and no malformed user ID is shown, which would break many clients (MSC4014, Changes from MSC1228 6, option A).

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// malformation is one way in which a mapping is malformed.
type malformation struct {
	what  string
	alter func(honest federation.Template) federation.Template
}

// malformations of one kind are delivered together: a server that handles one of them wrongly fails the check of the kind,
// which says which one it was.
var malformations = []struct {
	kind string
	all  func(s scene) []malformation
}{
	{"mappings with other types", func(s scene) (all []malformation) {
		for _, raw := range []string{`null`, `7`, `"text"`, `true`, `[]`, `[{}]`, `{}`} {
			all = append(all, malformation{"mxid_mapping is " + raw, func(honest federation.Template) federation.Template {
				return honest.WithMapping([]byte(raw))
			}})
		}
		for _, field := range []string{"user_id", s.Format().Dialect.MappingKeyField()} {
			for _, raw := range []string{`null`, `7`, `true`, `[]`, `{}`} {
				all = append(all, malformation{field + " is " + raw, func(honest federation.Template) federation.Template {
					return honest.AlterMapping(federation.SetField(field, json.RawMessage(raw)))
				}})
			}
			all = append(all, malformation{"no " + field, func(honest federation.Template) federation.Template {
				return honest.AlterMapping(federation.DeleteField(field))
			}})
		}
		return all
	}},
	{"mappings with malformed signatures", func(s scene) (all []malformation) {
		server := "signatures." + gjson.Escape(s.Origin.Name())
		for _, field := range []string{"signatures", server, server + "." + gjson.Escape(federation.ServerKeyID)} {
			for _, raw := range []string{`null`, `7`, `"text"`, `[]`} {
				all = append(all, malformation{field + " is " + raw, func(honest federation.Template) federation.Template {
					return honest.AlterMappingAfterSigning(federation.SetField(field, json.RawMessage(raw)))
				}})
			}
		}
		return all
	}},
	{"mappings with malformed user IDs", func(s scene) (all []malformation) {
		for _, userID := range []string{
			"", "@", "@:", "liar", "@liar", "liar:" + s.Origin.Name(), "@liar:", "#liar:" + s.Origin.Name(), "!liar:" + s.Origin.Name(),
			"@li\x00ar:" + s.Origin.Name(), "@li\nar:" + s.Origin.Name(), "@liar:" + s.Origin.Name() + ":99999999",
			"@liar:..", "@liar:" + s.Origin.Name() + "/../", "@" + strings.Repeat("l", 300) + ":" + s.Origin.Name(),
			"@" + strings.Repeat("l", 20000) + ":" + s.Origin.Name(),
		} {
			all = append(all, malformation{fmt.Sprintf("the user_id is %.60q", userID), func(honest federation.Template) federation.Template {
				return honest.Claiming(userID)
			}})
		}
		return all
	}},
	{"mappings with malformed keys", func(s scene) (all []malformation) {
		for _, key := range []string{
			"", "no key at all", "ed25519:1", pseudoid.EncodeBase64(make([]byte, 31)), pseudoid.EncodeBase64(make([]byte, 33)),
			pseudoid.EncodeBase64([]byte(strings.Repeat("k", 20000))), s.Origin.User("liar").ID(),
		} {
			all = append(all, malformation{fmt.Sprintf("the key is %.60q", key), func(honest federation.Template) federation.Template {
				return honest.NamingKey(pseudoid.SenderKey(key))
			}})
		}
		return all
	}},
}

func init() {
	for _, kind := range malformations {
		for _, along := range []delivery.Path{delivery.Send, delivery.SendJoin, delivery.StateOfSendJoin} {
			check.Register(check.Check{
				Name:     kind.kind + ", by " + along.Name,
				Requires: []string{"mapping/malformed-not-honoured"},
				Path:     along.Name,
				Deadly:   kind.kind == "mappings with malformed keys" && along.Name == delivery.Send.Name,
				Body:     func(c *check.C) { judgeMalformed(c, along, kind.all) },
			})
		}
	}
}

// malformedJoin is a join with a malformed mapping, by a user of its own.
type malformedJoin struct {
	user  *federation.User
	what  string
	event federation.Event
}

// judgeMalformed delivers all malformations of a kind along one path, each by a join of a user of its own.
func judgeMalformed(c *check.C, along delivery.Path, kind func(s scene) []malformation) {
	s := openScene(c, nobody, !along.Enters)
	s.controls(along, false)
	c.UnderTest()
	if along.Enters {
		s.entersMalformed(kind(s))
		return
	}
	var joins []malformedJoin
	for i, each := range kind(s) {
		join := s.malformedJoin(i, each)
		joins = append(joins, join)
		answer, err := along.Push(s.Room, join.event)
		c.Need("resilience/stays-up", err)
		c.Notef("%s: the server answered %s", each.what, delivery.Short(answer))
	}
	s.judgeMalformed(joins, s.Barrier())
}

// entersMalformed lets Alice join a room with members of all malformations. If she cannot, because of some of them, she tries a room
// with each, and then one with all those that did not keep her out, so that none hides anything of the others. If she cannot enter that,
// it is all of them together that close the room.
func (s scene) entersMalformed(all []malformation) {
	together := s.entersWith(all)
	if together == nil {
		return
	}
	var harmless []malformation
	for i := range all {
		s.makesRoomWith(all[i : i+1])
		if refusal := s.JoinsIfLet(); refusal != nil {
			s.KeepsOut("a member of a malformed mapping ("+all[i].what+")", refusal)
		} else {
			harmless = append(harmless, all[i])
		}
	}
	switch len(harmless) {
	case 0:
		return
	case len(all): // what is refused once need not be tried again
	default:
		together = s.entersWith(harmless)
	}
	if together != nil {
		s.KeepsOut(fmt.Sprintf("the number of %d malformed mappings, none of which does by itself,", len(harmless)), together)
	}
}

// entersWith lets Alice join a room with members of malformations, and judges what she is shown. It returns why she could not join.
func (s scene) entersWith(all []malformation) (keptOut error) {
	joins := s.makesRoomWith(all)
	entered := s.Enters()
	if entered.KeptOut == nil {
		s.settles()
		s.judgeMalformed(joins, entered.Barrier)
	}
	return entered.KeptOut
}

// makesRoomWith makes a room of Origin with members of malformations.
func (s *scene) makesRoomWith(all []malformation) (joins []malformedJoin) {
	s.Room = s.MakesRoom()
	for i, each := range all {
		join := s.malformedJoin(i, each)
		joins = append(joins, join)
		s.Room.Apply(join.event)
	}
	return joins
}

func (s scene) malformedJoin(number int, how malformation) malformedJoin {
	user := s.Origin.User(fmt.Sprintf("liar-%d", number))
	return malformedJoin{user, how.what, s.Room.Made(how.alter(s.Room.MemberTemplate(user, "join")))}
}

// judgeMalformed ensures that no view shows a user of a malformed mapping, a raw key or a malformed user ID, but placeholders alone: nor
// once these users have said more, after the barrier.
func (s scene) judgeMalformed(joins []malformedJoin, barrier federation.Event) {
	s.showsNoMalformed(joins)
	var speakers []delivery.Speaker
	for _, join := range joins {
		speakers = append(speakers, delivery.Speaker{User: join.user, Event: join.event})
	}
	s.C.Notef("the keys of the malformed mappings say more")
	s.Speaks(barrier, speakers...)
	s.showsNoMalformed(joins)
}

func (s scene) showsNoMalformed(joins []malformedJoin) {
	views := s.Alice.Views(s.Room.ID())
	var events []federation.Event
	var known []string
	for _, join := range joins {
		events = append(events, join.event)
		known = append(known, join.user.ID(), join.event.Sender())
	}
	for _, view := range views {
		judgeView(s.C, view, joins)
	}
	s.membersStand(views)
	s.OnlyPlaceholders(views, s.Room, events, s.honestUsers(), known...)
}

// judgeView ensures that a view shows no user of a malformed mapping, no raw key and no malformed user ID.
func judgeView(c *check.C, view stage.View, joins []malformedJoin) {
	for _, join := range joins {
		if where := view.Shows(join.user.ID()); where != "" {
			c.Errorf("%s shows the user of a malformed mapping (%s), %s", view.Name, join.what, where)
		}
		if where := view.Shows(join.event.Sender()); where != "" {
			c.Errorf("%s shows a raw key, %s", view.Name, where)
		}
	}
	for userID, where := range view.Users() {
		if pseudoid.ValidUserID(userID) != nil {
			c.Errorf("%s shows %.80q %s, which is not a user ID", view.Name, userID, where)
		}
	}
}
