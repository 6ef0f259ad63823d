package mapping

// Mappings that are none: wrong types, nulls, sizes beyond all bounds, user IDs and keys that are none. They are not
// honoured, and no raw key and no malformed user ID is shown, which would break many clients (MSC4014, Changes from MSC1228
// 6, option A).

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// malformation is one way in which a mapping is none.
type malformation struct {
	what string
	make func(honest federation.Template) federation.Template
}

// malformations are told together where they are of one kind: a server that treats one of them wrongly fails the check of
// the kind, and the check says which it was.
var malformations = []struct {
	kind string
	all  func(p scene) []malformation
}{
	{"mappings with other types", func(p scene) (all []malformation) {
		for _, raw := range []string{`null`, `7`, `"text"`, `true`, `[]`, `[{}]`, `{}`} {
			all = append(all, malformation{"mxid_mapping is " + raw, func(honest federation.Template) federation.Template {
				return honest.WithMapping([]byte(raw))
			}})
		}
		for _, field := range []string{"user_id", p.Format().Dialect.MappingKeyField()} {
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
	{"mappings with malformed signatures", func(p scene) (all []malformation) {
		server := "signatures." + gjson.Escape(p.Origin.Name())
		for _, field := range []string{"signatures", server, server + "." + gjson.Escape(federation.ServerKeyID)} {
			for _, raw := range []string{`null`, `7`, `"text"`, `[]`} {
				all = append(all, malformation{field + " is " + raw, func(honest federation.Template) federation.Template {
					return honest.AlterMappingAfterSigning(federation.SetField(field, json.RawMessage(raw)))
				}})
			}
		}
		return all
	}},
	{"mappings with malformed user IDs", func(p scene) (all []malformation) {
		for _, userID := range []string{
			"", "@", "@:", "liar", "@liar", "liar:" + p.Origin.Name(), "@liar:", "#liar:" + p.Origin.Name(), "!liar:" + p.Origin.Name(),
			"@li\x00ar:" + p.Origin.Name(), "@li\nar:" + p.Origin.Name(), "@liar:" + p.Origin.Name() + ":99999999",
			"@liar:..", "@liar:" + p.Origin.Name() + "/../", "@" + strings.Repeat("l", 300) + ":" + p.Origin.Name(),
			"@" + strings.Repeat("l", 20000) + ":" + p.Origin.Name(),
		} {
			all = append(all, malformation{fmt.Sprintf("the user_id is %.60q", userID), func(honest federation.Template) federation.Template {
				return honest.Claiming(userID)
			}})
		}
		return all
	}},
	{"mappings with malformed keys", func(p scene) (all []malformation) {
		for _, key := range []string{
			"", "no key at all", "ed25519:1", pseudoid.EncodeBase64(make([]byte, 31)), pseudoid.EncodeBase64(make([]byte, 33)),
			pseudoid.EncodeBase64([]byte(strings.Repeat("k", 20000))), p.Origin.User("liar").ID(),
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

// judgeMalformed delivers all malformations of a kind along one path, each by a join of a user of its own.
func judgeMalformed(c *check.C, along delivery.Path, kind func(p scene) []malformation) {
	p := openScene(c, nobody, !along.Enters)
	right := p.deliver(along, "honest", honestly)
	c.Control(delivery.WithAnswer(right.isBelieved(p.Alice), right.Answer))
	p.Breaks = "mapping/malformed-not-honoured"
	liars := map[string]string{} // what each told, by user ID
	var keys []string
	room := p.Room
	if along.Enters {
		room = p.MakesRoom()
	}
	p.Room = room
	for i, one := range kind(p) {
		user := p.Origin.User(fmt.Sprintf("liar-%d", i))
		join := room.Made(one.make(room.MemberTemplate(user, "join")))
		liars[user.ID()] = one.what
		keys = append(keys, join.Sender())
		if along.Enters {
			room.Apply(join)
			continue
		}
		answer, err := along.Push(room, join)
		c.Need("resilience/stays-up", err)
		c.Notef("%s: the server answered %s", one.what, delivery.Short(answer))
	}
	if !along.Enters {
		p.Barrier()
	} else if entered := p.Enters(); entered.Outside {
		c.Notef("alice could not enter the room with them in it, and so saw nothing of them: %s", entered.Answer)
		return
	}
	for _, view := range p.Alice.Views(room.ID()) {
		for userID, what := range liars {
			if where := view.Shows(userID); where != "" {
				c.Errorf("%s shows the user of a mapping that is none (%s), %s", view.Name, what, where)
			}
		}
		for _, key := range keys {
			if where := view.Shows(key); where != "" {
				c.Errorf("%s shows a raw key, %s", view.Name, where)
			}
		}
		for _, event := range view.Events {
			if sender := event.Get("sender").String(); pseudoid.ValidUserID(sender) != nil {
				c.Errorf("%s shows %.80q as the sender of an event, which is no user ID", view.Name, sender)
			}
		}
	}
}
