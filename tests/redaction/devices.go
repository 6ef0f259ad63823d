package redaction

// End-to-end encryption still works when a member event is redacted: who the member is, is still known (MSC4014, discussion,
// the author's answer: without the mapping it would break).

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// To-device messages and device lists still reach the server of a member whose event was redacted, and those of that server
// still reach the others.
var _ = check.Register(check.Check{
	Name:     "devices of a remote member whose event was redacted are reached",
	Requires: []string{"redaction/e2ee-stays"},
	Body: func(c *check.C) {
		const requirement = "redaction/e2ee-stays"
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol := peer.User("carol")
		room := peer.Joins(alice.Makes(stage.Public), carol)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(room.ID(), carol.ID(), "join")
		// Servers may begin to send events to the server of a new member a little after they show the member to clients.
		room.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(room.ID(), "said to the new member"))
		devices := &devicesOf{peer: peer, user: carol}
		both := func(toPeer, toClient, word string) {
			for _, kind := range []scenes.EDU{scenes.ToDevice, scenes.DeviceLists} {
				matches, err := kind.Happens(c.Context(), scenes.Occasion{User: alice, Word: word, Remotes: []*federation.User{carol}})
				c.Need(toPeer, err)
				c.Need(toPeer, kind.Arrives(peer, matches))
			}
			since := alice.SyncToken()
			devices.send(alice.UserID, word)
			awaitsDevicesOf(alice.Blaming(toClient), since, carol.ID())
		}
		both("routing/edus", "client-view/device-lists", "said before the redaction")
		join, _ := room.StateEvent("m.room.member", carol.SenderIn(room.Room))
		alice.Blaming("redaction/displayname-goes").Redacts(room.ID(), join.ID())
		c.UnderTest()
		room.Awaits(redactionOf(join.ID()))
		both(requirement, requirement, "said after the redaction")
	},
})

// devicesOf are the devices of a user of a peer: another one with each message.
type devicesOf struct {
	peer    *stage.Peer
	user    *federation.User
	devices []map[string]any
}

// send sends a message to all devices of a user of the server under test, and the device list update of a new device.
func (d *devicesOf) send(to, word string) {
	d.peer.SendsEDU("m.direct_to_device", map[string]any{
		"sender": d.user.ID(), "type": scenes.ToDeviceType, "message_id": word,
		"messages": map[string]any{to: map[string]any{"*": map[string]any{"word": word}}},
	})
	number := len(d.devices) + 1
	device := fmt.Sprintf("DEVICE%d", number)
	key := string(pseudoid.GenerateKeyPair().Public) // any key will do: nobody verifies it
	keys := map[string]any{
		"user_id": d.user.ID(), "device_id": device, "algorithms": []string{"m.olm.v1.curve25519-aes-sha2"},
		"keys":       map[string]string{"ed25519:" + device: key, "curve25519:" + device: key},
		"signatures": map[string]any{},
	}
	d.devices = append(d.devices, map[string]any{"device_id": device, "keys": keys})
	known, previous := slices.Clone(d.devices), []int{}
	if number > 1 {
		previous = append(previous, number-1)
	}
	d.peer.Handle(federation.UserDevices, func(*federation.Request, func() federation.Answer) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"user_id": d.user.ID(), "stream_id": number, "devices": known})
	})
	d.peer.SendsEDU("m.device_list_update", map[string]any{
		"user_id": d.user.ID(), "device_id": device, "stream_id": number, "prev_id": previous, "keys": keys,
	})
}

// The same between two users of the server under test.
var _ = check.Register(check.Check{
	Name:     "devices of a local member whose event was redacted are reached",
	Requires: []string{"redaction/e2ee-stays"},
	Body: func(c *check.C) {
		scene := openMember(c, stage.Open(c, blueprints.OneServer))
		both := func(requirement, word string) {
			for _, each := range [][2]*stage.User{{scene.alice, scene.bob}, {scene.bob, scene.alice}} {
				from, to := each[0], each[1]
				since := to.SyncToken()
				c.Need(requirement, from.SendToDevice(c.Context(), scenes.ToDeviceType, map[string]map[string]any{
					to.UserID: {"*": map[string]any{"word": word}},
				}))
				from.NewDevice()
				awaitsDevicesOf(to.Blaming(requirement), since, from.UserID)
			}
		}
		both("client-view/device-lists", "said before the redaction")
		scene.isRedacted(c)
		both("redaction/e2ee-stays", "said after the redaction")
	},
})

// awaitsDevicesOf waits until a client gets a to-device message of a user and a change of that user's device list.
func awaitsDevicesOf(user *stage.User, since, of string) {
	message, changed := false, false
	user.AwaitsSync(since, func(answer *csapi.Response) error {
		message = message || slices.ContainsFunc(answer.Get("to_device.events").Array(), func(event gjson.Result) bool {
			return event.Get("type").String() == scenes.ToDeviceType && event.Get("sender").String() == of
		})
		changed = changed || slices.ContainsFunc(answer.Get("device_lists.changed").Array(), func(userID gjson.Result) bool {
			return userID.String() == of
		})
		if !message || !changed {
			return fmt.Errorf("%s: a to-device message came: %v, a change of the device list: %v", of, message, changed)
		}
		return nil
	})
}
