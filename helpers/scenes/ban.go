// Package scenes holds what checks of several chapters begin with, collect or look for.
package scenes

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Ban is a room of Alice in which a user of a peer, Dan, is banned.
type Ban struct {
	*stage.Stage
	Alice      *stage.User
	Peer       *stage.Peer
	Carol, Dan *federation.User // of Peer; Carol is a member
	Room       *stage.Room      // as Peer knows it
	Join       federation.Event // Dan's, under the first key
}

// OpenBan makes the room, with Carol in it.
func OpenBan(s *stage.Stage) Ban {
	opened := Ban{Stage: s, Alice: s.User("alice"), Peer: s.Peer()}
	opened.Carol, opened.Dan = opened.Peer.User("carol"), opened.Peer.User("dan")
	opened.Room = opened.Peer.Joins(opened.Alice.Makes(stage.Public), opened.Carol)
	return opened
}

// OpenBanOfMember is OpenBan with Dan in the room, whose join was delivered along a path.
func OpenBanOfMember(s *stage.Stage, path delivery.Path) Ban {
	opened := OpenBan(s)
	opened.LetIn(path)
	return opened
}

// LetIn is the positive control: Dan joins, and Alice's client sees it.
func (b *Ban) LetIn(path delivery.Path) {
	b.Join = b.DansJoin()
	answer, err := path.Push(b.Room, b.Join)
	if err == nil {
		_, err = b.Alice.SeesMembership(b.Room.ID(), b.Dan.ID(), "join")
	}
	b.C.Control(delivery.WithAnswer(err, delivery.Short(answer)))
	b.Room.Apply(b.Join)
}

// DansJoin is a join of Dan at the room's end, under the key that Dan has now.
func (b Ban) DansJoin() federation.Event { return b.Room.BuildsMember(b.Dan, "join") }

// Bans lets Alice ban Dan by user ID, and waits until the peer receives the ban.
func (b Ban) Bans() {
	b.Alice.Bans(b.Room.ID(), b.Dan.ID())
	b.Alice.Blaming("membership/ban").AwaitsMembership(b.Room.ID(), b.Dan.ID(), "ban")
	b.Room.Blaming("membership/ban").Awaits(MemberByKey(b.Join.Sender(), "ban"))
}

// Delivers delivers an event of Dan and waits until the server has processed it. The barrier is beside the event, not after
// it: it arrives whatever becomes of that. broken is not nil if Alice's client cannot /sync afterwards.
func (b Ban) Delivers(path delivery.Path, event federation.Event) (answer string, broken error) {
	barrier := b.Room.Builds(federation.TextMessage(b.Carol, "said beside the event"))
	pushed, err := path.Push(b.Room, event)
	b.C.Need("resilience/stays-up", err)
	answer = delivery.Short(pushed)
	b.Room.Delivers(barrier)
	ctx, cancel := b.C.Within(stage.Patience)
	defer cancel()
	_, err = b.Alice.WaitForEventID(ctx, b.Room.ID(), barrier.ID())
	refusal, refused := csapi.Refused(err)
	if refused && refusal.Status >= http.StatusInternalServerError || csapi.NoAnswer(err) && !errors.Is(err, context.DeadlineExceeded) {
		return answer, err
	}
	b.C.Need("membership/remote-joins-us", err)
	return answer, nil
}

// IsRefused delivers an event of Dan, who is banned, and ensures that nobody is served it and that Dan stays banned.
func (b Ban) IsRefused(path delivery.Path, event federation.Event) {
	b.C.UnderTest()
	answer, broken := b.Delivers(path, event)
	b.C.Need("resilience/stays-up", broken)
	b.C.Notef("the server answered the event of the banned key with %s", answer)
	StaysBanned(b.C, b.Alice.Refused(b.Room.ID(), event), b.Dan.ID())
	later := delivery.LaterJoiner(b.Stage, b.Room.ID())
	later.NotServed(event)
	later.NotReferredTo(event, b.Alice)
	if member, known := later.StateEvent("m.room.member", b.Join.Sender()); !known || member.Membership() != "ban" {
		b.C.Errorf("a server that joins later is not served the ban in the room's state")
	}
}

// StaysBanned ensures that client views show a user as banned, and not as a member. A ban that is gone is one that may be evaded.
func StaysBanned(c *check.C, views []stage.View, userID string) {
	for _, view := range views {
		if slices.Contains(view.Keys, userID) {
			c.Errorf("%s shows a banned user as a member", view.Name)
		}
		if view.Name != "/members" && view.Name != "/state" {
			continue // the others show earlier events, too
		}
		members := membersAs(view, userID)
		if len(members) == 0 {
			c.Errorf("%s does not show the ban of a banned user", view.Name)
		}
		for _, event := range members {
			if membership := event.Get("content.membership").String(); membership != "ban" {
				c.Errorf("%s shows the membership %q of a banned user", view.Name, membership)
			}
		}
	}
}

// membersAs are the member events of a user ID in a view.
func membersAs(view stage.View, userID string) []gjson.Result {
	var members []gjson.Result
	for _, event := range view.Events {
		if event.Get("type").String() == "m.room.member" && event.Get("state_key").String() == userID {
			members = append(members, event)
		}
	}
	return members
}
