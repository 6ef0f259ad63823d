package clientview

// Device lists and messages to devices across servers that could not reach each other for a while.

import (
	"fmt"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// returning is how long servers may take until they reach each other again, on a quiet machine: they wait longer after each attempt that
// failed.
const returning = 30 * time.Second

// Clients are told of the devices of those whom they share a room with, and of messages to their own, also when servers were away
// meanwhile (Matrix specification, Tracking the device list for a user; server-server API, Device Management): whose devices, and who came
// and went, follows from the mappings of member events (MSC4014, hard requirement 1).
func init() {
	for _, each := range []struct {
		name       string
		blueprint  stage.Blueprint
		containers bool
		interrupt  func(s *stage.Stage, meanwhile func())
	}{
		{"reach a server that was stopped", blueprints.InterruptedPair, false, func(s *stage.Stage, meanwhile func()) {
			s.RestartAfter(2, false, meanwhile)
		}},
		{"reach a server that was frozen", blueprints.InterruptedPair, false, func(s *stage.Stage, meanwhile func()) {
			s.Pause(2)
			meanwhile()
			s.Resume(2)
		}},
		{"cross a partition when it ends", blueprints.PrivatePair, true, func(s *stage.Stage, meanwhile func()) {
			s.CutOff(2)
			meanwhile()
			s.Rejoin(2)
		}},
	} {
		check.Register(check.Check{
			Name:       "device lists and messages to devices " + each.name,
			Requires:   []string{"client-view/device-lists"},
			Path:       each.name,
			Slow:       time.Minute,
			TwoServers: true,
			Containers: each.containers,
			Body: func(c *check.C) {
				s := stage.Open(c, each.blueprint)
				ordinary, pseudonymous := sharesDevices(s, true), sharesDevices(s, false)
				each.interrupt(s, func() { // at once for both, as it takes long
					ordinary.changes()
					pseudonymous.changes()
				})
				known := ordinary.isTold()
				if len(known) == len(news) {
					for _, name := range news {
						c.NotJudged(name, "it does not arrive in an ordinary room either: %v", known[name])
					}
					c.Unsupported("nothing of this arrives in an ordinary room of the servers either")
				}
				c.UnderTest()
				lacking := pseudonymous.isTold()
				for _, name := range news {
					if known[name] != nil {
						c.NotJudged(name, "it does not arrive in an ordinary room either: %v", known[name])
					} else if lacking[name] != nil {
						c.Errorf("%s: arrives in an ordinary room, and not in a pseudo-ID room: %v", name, lacking[name])
					}
				}
			},
		})
	}
}

// devices is a room of two servers: Alice of hs1 made it, Bob of hs2 and Erin of hs1 are in it, and Dave of hs1 is not.
type devices struct {
	*stage.Stage
	ordinary               bool
	roomID                 string
	alice, bob, dave, erin *stage.User
	since                  string // Bob's token of /sync from before the interruption
}

// What Bob must be told of.
const (
	ofDevice  = "a new device"
	ofMessage = "a message to devices"
	ofJoin    = "the devices of a user who joined"
	ofLeave   = "the devices of a user who left"
)

var news = []string{ofDevice, ofMessage, ofJoin, ofLeave}

func sharesDevices(s *stage.Stage, ordinary bool) *devices {
	d := &devices{
		Stage: s, ordinary: ordinary, alice: s.UserAt(1, "alice"), bob: s.UserAt(2, "bob"), dave: s.UserAt(1, "dave"), erin: s.UserAt(1, "erin"),
	}
	blame := "membership/join-remote"
	if ordinary {
		blame = stage.OrdinaryRooms
		d.roomID = d.alice.MakesOrdinary(stage.Public)
		d.erin.JoinsOrdinary(d.roomID)
		d.bob.JoinsOrdinary(d.roomID, s.ServerName(1))
	} else {
		d.roomID = d.alice.Makes(stage.Public)
		d.erin.Joins(d.roomID)
		d.bob.Joins(d.roomID, s.ServerName(1))
	}
	d.alice.Blaming(blame).AwaitsMembership(d.roomID, d.bob.UserID, "join")
	for _, of := range []*stage.User{d.alice, d.erin} {
		d.bob.Blaming(blame).AwaitsMembership(d.roomID, of.UserID, "join")
	}
	// What one says arrives before the other server is away: the servers have found each other.
	d.bob.Blaming("client-view/unmodified-client").AwaitsEvent(d.roomID, d.alice.Says(d.roomID, "said before the interruption"))
	d.since = d.bob.SyncToken()
	return d
}

// changes happens while hs2 is away.
func (d *devices) changes() {
	d.alice.NewDevice()
	d.C.Need("client-view/unmodified-client",
		d.alice.SendToDevice(d.C.Context(), scenes.ToDeviceType, toAllDevices(d.bob.UserID, "sent during the interruption")))
	if d.ordinary {
		d.dave.JoinsOrdinary(d.roomID)
	} else {
		d.dave.Joins(d.roomID)
	}
	d.C.Need("membership/leave", d.erin.LeaveRoom(d.C.Context(), d.roomID))
}

// all says the same of everything that Bob must be told of.
func all(err error) map[string]error {
	of := map[string]error{}
	for _, name := range news {
		of[name] = err
	}
	return of
}

// isTold waits until Bob is told of everything, and returns what is missing. Bob speaks first: a server that is heard from is there again.
func (d *devices) isTold() (missing map[string]error) {
	missing = all(errNotYet)
	wanted := map[string]func(*csapi.Response) error{
		ofDevice: listed("changed", d.alice.UserID), ofMessage: toldBy(d.alice.UserID, "sent during the interruption"),
		ofJoin: listed("changed", d.dave.UserID), ofLeave: listed("left", d.erin.UserID),
	}
	ctx, cancel := d.C.Within(returning)
	defer cancel()
	if _, err := d.bob.SendMessage(ctx, d.roomID, "said after the interruption"); err != nil {
		return all(err)
	}
	for len(missing) > 0 && ctx.Err() == nil {
		answer, err := d.bob.Sync(ctx, d.since, hold, "")
		if err != nil && ctx.Err() == nil {
			return all(err)
		}
		if err != nil {
			break
		}
		for name := range missing {
			if missing[name] = wanted[name](answer); missing[name] == nil {
				delete(missing, name)
			}
		}
		d.since = answer.Get("next_batch").String()
	}
	for name, lacks := range missing {
		missing[name] = fmt.Errorf("%w: %w", lacks, ctx.Err())
	}
	return missing
}

// hold is how long a server may hold a /sync.
const hold = time.Second
