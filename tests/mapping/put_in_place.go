package mapping

// A mapping that another server put in place of the member's own, in an event of the member's.

import (
	"encoding/json"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// Any server can sign a mapping of any key to a user of its own: what ties a mapping to its key is that the key signs the event
// (MSC4014, Proposal 2 and 4). The signature covers the redacted event, so only the content hash covers the mapping. A member whose event
// reaches the server by way of another one, which changes the mapping, stays who it is. What a server makes of such an event of a member
// that it does not know yet is not judged: it looks like one that was redacted (redaction/later-joiner-resolves).
var _ = check.Register(check.Check{
	Name:     "a mapping put in place of a member's own on the way",
	Requires: []string{"mapping/no-hijack"},
	Path:     "get_missing_events",
	Body: func(c *check.C) {
		s := openScene(c, memberBob, true)
		roomID, impostor := s.Room.ID(), s.Origin.User("impostor")
		s.Alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, s.bob.ID(), "join")
		renames := func(name string) federation.Template {
			return s.Room.MemberTemplate(s.bob, "join").WithContent("displayname", name)
		}
		honest := s.Room.Made(renames("another name"))
		s.AfterGap(honest, federation.GetMissingEvents)
		_, err := s.Alice.SeesMembership(roomID, s.bob.ID(), "join")
		c.Control(err)
		c.Control(s.Alice.SeesEvent(roomID, honest.ID()))

		template := renames("a third name")
		other := s.Room.Made(template.WithMappingOf(impostor)).Get("content." + pseudoid.MappingField).Raw
		lie := s.Room.Made(template.AlterAfterSigning(federation.SetField("content."+pseudoid.MappingField, json.RawMessage(other))))
		c.UnderTest()
		s.AfterGap(lie, federation.GetMissingEvents)
		said := s.victimRoom.At(1).Says(s.bob, "said after the mapping was put in place of another")
		shown := s.Alice.AwaitsEvent(roomID, said.ID())
		assert.Equal(c, s.bob.ID(), shown.Get("sender").String(), "the sender of what bob's key says")
		for _, view := range s.Alice.Views(roomID) {
			if where := view.Shows(impostor.ID()); where != "" {
				c.Errorf("%s shows %s, whose mapping was put in place of another, %s", view.Name, impostor.ID(), where)
			}
			if view.Shows(s.bob.ID()) == "" {
				c.Errorf("%s does not show %s any more", view.Name, s.bob.ID())
			}
		}
	},
})
