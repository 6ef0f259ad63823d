package clientview

// A room of another server: its create event names its creator in the versions that have that field, whatever the server under test
// writes into its own.

import (
	"errors"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// theHost is the creator of the remote room.
const theHost = "the remote creator"

// viewRemote returns a room of a peer that Alice has joined, and the views of it that show the creator.
func viewRemote(c *check.C) viewed {
	s := stage.Open(c, blueprints.OneServer)
	return stage.Scene(s, "client-view: a room of a peer", func() viewed {
		p := newPreparing(s)
		host := p.witness.User("host")
		p.room = p.witness.Makes(federation.RoomOptions{Creator: host, Name: "A room of another server"})
		p.roomID = p.room.ID()
		p.tokens[alicesToken] = p.alice.SyncToken()
		p.adds(theHost, host)
		p.alice.Joins(p.roomID, p.witness.Name())
		p.learns(theCreator, p.alice.UserID, "join", "membership/join-remote")
		p.alice.LetsVerify(p.roomID, host.ID())
		p.timeline = p.alice.Timeline(p.roomID)
		p.C.Need("membership/remote-joins-us", p.says(host, greeting+" from "+theHost))
		p.reaches(p.alice.Says(p.roomID, greeting+" from alice"))
		p.records()
		p.lookups = map[string]lookup{createType: p.reads(createType, "")}
		p.collect(showsRemote)
		return p.viewed
	})
}

// showsRemote reports whether an endpoint shows the create event of the remote room: by /event, servers need not know what was sent before
// they joined.
func showsRemote(each endpoint) bool { return each.wholeState && each.name != "/event" }

// judgeRemote adds what is wrong with the creator of the remote room.
func judgeRemote(c *check.C, each endpoint) {
	v := viewRemote(c)
	given := v.answers[each.name]
	if given.err != nil {
		if refusal := inOrdinaryRemote(c, each); refusal != nil {
			c.NotJudged(each.name+" of a room of a peer", "clients are refused it of an ordinary room of a peer, too: %v", refusal)
			return
		}
		c.Need(bySender.requirement, errors.Join(errors.New("clients are refused "+each.name+" of a room of a peer"), given.err))
	}
	for _, problem := range creator.problems(v, given, v.state) {
		c.Errorf("%s of a room of a peer: %s", each.name, problem)
	}
}

// inOrdinaryRemote returns why clients are refused an endpoint of an ordinary room of a peer, nil if they are not.
func inOrdinaryRemote(c *check.C, each endpoint) error {
	s := stage.Open(c, blueprints.OneServer)
	refusal := stage.Scene(s, "client-view: an ordinary room of a peer, asked for "+each.name, func() error {
		p := newPreparing(s)
		host := p.witness.User("host")
		p.room = p.witness.MakesOrdinary(federation.RoomOptions{Creator: host, Name: "An ordinary room of another server"})
		p.roomID = p.room.ID()
		p.tokens[alicesToken] = p.alice.SyncToken()
		p.alice.JoinsOrdinary(p.roomID, p.witness.Name())
		p.timeline = p.alice.Timeline(p.roomID)
		last := p.alice.Says(p.roomID, greeting+" from alice")
		p.alice.Blaming(stage.OrdinaryRooms).AwaitsEvent(p.roomID, last)
		p.records()
		_, err := each.ask(p)
		if csapi.NoAnswer(err) {
			p.C.Need("resilience/stays-up", err)
		}
		return err
	})
	c.Timely(refusal)
	return refusal
}
