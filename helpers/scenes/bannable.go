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
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// StaysBanned looks at a banned user as a client sees it.
func StaysBanned(c *check.C, views []stage.View, userID string) {
	for _, view := range views {
		if slices.Contains(view.Keys, userID) {
			c.Errorf("%s shows a banned user as a member", view.Name)
		}
		if view.Name != "/members" && view.Name != "/state" {
			continue // the others hold earlier events too
		}
		for _, event := range membersAs(view, userID) {
			if membership := event.Get("content.membership").String(); membership != "ban" {
				c.Errorf("%s shows the membership %q of a banned user", view.Name, membership)
			}
		}
	}
}

// membersAs are the member events that a view shows of a user ID.
func membersAs(view stage.View, userID string) []gjson.Result {
	var members []gjson.Result
	for _, event := range view.Events {
		if event.Get("type").String() == "m.room.member" && event.Get("state_key").String() == userID {
			members = append(members, event)
		}
	}
	return members
}

// Bannable is a user of a peer, in a room of alice's with another user of the peer.
type Bannable struct {
	Stage      *stage.Stage
	Alice      *stage.User
	Peer       *stage.Peer
	carol, Dan *federation.User // dan is the one who is banned, or changes keys
	Room       *stage.Room
	Join       federation.Event // dan's, under the first key
}

// OpenBannable makes alice's room, with carol in it.
func OpenBannable(s *stage.Stage) Bannable {
	scene := Bannable{Stage: s, Alice: s.User("alice"), Peer: s.Peer()}
	scene.carol, scene.Dan = scene.Peer.User("carol"), scene.Peer.User("dan")
	scene.Room = scene.Peer.Joins(scene.Alice.Makes(stage.Public), scene.carol)
	return scene
}

// OpenJoined plays the control: dan joins, and alice's client sees it.
func OpenJoined(s *stage.Stage, deliver delivery.Push) Bannable {
	scene := OpenBannable(s)
	scene.LetIn(deliver)
	return scene
}

// LetIn plays the control in a room that is there.
func (o *Bannable) LetIn(deliver delivery.Push) {
	o.Join = o.BuildJoin()
	answer, err := deliver(o.Room, o.Join)
	if err == nil {
		_, err = o.Alice.SeesMembership(o.Room.ID(), o.Dan.ID(), "join")
	}
	o.Stage.C.Control(delivery.WithAnswer(err, answer))
	o.Room.Apply(o.Join)
}

// BuildJoin makes dan's join at the room's end, under the key that dan has now.
func (o Bannable) BuildJoin() federation.Event {
	event, err := o.Room.MemberTemplate(o.Dan, "join").Build()
	if err != nil {
		o.Stage.C.SuiteError(err)
	}
	return event
}

// Ban lets alice ban dan by user ID.
func (o Bannable) Ban() {
	o.Alice.Bans(o.Room.ID(), o.Dan.ID())
	o.Alice.Blaming("membership/ban").AwaitsMembership(o.Room.ID(), o.Dan.ID(), "ban")
	o.Room.Blaming("membership/ban").Awaits(MemberByKey(o.Join.Sender(), "ban"))
}

// Try delivers a join and waits until the server has dealt with it. The barrier stands beside the join, not behind it:
// it arrives whatever became of that. broken is the error that the server answers alice's client with afterwards, if so.
func (o Bannable) Try(deliver delivery.Push, join federation.Event) (answer string, broken error) {
	c := o.Stage.C
	barrier := o.Room.Builds(federation.Proto{
		Type: "m.room.message", Sender: o.carol, Content: map[string]string{"msgtype": "m.text", "body": "said after the join"},
	})
	answer, err := deliver(o.Room, join)
	c.Need("resilience/stays-up", err)
	o.Room.Delivers(barrier)
	ctx, cancel := c.Within(stage.Patience)
	defer cancel()
	_, err = o.Alice.WaitForEvent(ctx, o.Room.ID(), match.EventID(barrier.ID()))
	refusal, refused := csapi.Refused(err)
	if refused && refusal.Status >= http.StatusInternalServerError || csapi.NoAnswer(err) && !errors.Is(err, context.DeadlineExceeded) {
		return answer, err
	}
	c.Need("membership/remote-joins-us", err)
	return answer, nil
}
