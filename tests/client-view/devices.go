package clientview

// Device lists and messages to devices.

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Clients track the devices of those they share a room with, and are told whom they begin and cease to share one with (Matrix
// specification, Tracking the device list for a user), whatever kind of room it is: devices belong to the user that the mapping of a
// member names (MSC4014, hard requirement 1).
func init() {
	for _, from := range []origin{local, remote} {
		check.Register(check.Check{
			Name:     "device lists follow the membership of " + string(from),
			Requires: []string{"client-view/device-lists"},
			Path:     string(from),
			Slow:     inVain,
			Body: func(c *check.C) {
				works(c, from, nil, []feature{
					{"device lists on leave and rejoin", func(m company) error { return m.devicesFollow() }},
					{"/keys/changes", company.changesAreListed},
				})
			},
		})
	}
}

// listed requires a user in one of the lists of device_lists.
func listed(list, userID string) func(*csapi.Response) error {
	return func(answer *csapi.Response) error {
		users := answer.Get("device_lists." + list).Array()
		if !slices.ContainsFunc(users, func(each gjson.Result) bool { return each.String() == userID }) {
			return fmt.Errorf("device_lists.%s is %s: %s is missing", list, answer.Get("device_lists."+list).Raw, userID)
		}
		return nil
	}
}

// devicesFollow changes the devices of the other while it is in the room, and lets it leave and join again.
func (m company) devicesFollow() error {
	if err := m.tellsDevice("a device of a member"); err != nil {
		return err
	}
	since := m.alice.SyncToken()
	ofBob := ""
	if m.bob != nil {
		ofBob = m.bob.SyncToken()
	}
	m.leaves()
	if err := m.alice.SeesInSync(since, listed("left", m.other())); err != nil {
		return fmt.Errorf("on leave: %w", err)
	}
	if m.bob != nil {
		if err := m.bob.SeesInSync(ofBob, listed("left", m.alice.UserID)); err != nil {
			return fmt.Errorf("on leave, who left: %w", err)
		}
		ofBob = m.bob.SyncToken()
	}
	since = m.alice.SyncToken()
	m.joins()
	if err := m.alice.SeesInSync(since, listed("changed", m.other())); err != nil {
		return fmt.Errorf("on rejoin: %w", err)
	}
	if m.bob != nil {
		if err := m.bob.SeesInSync(ofBob, listed("changed", m.alice.UserID)); err != nil {
			return fmt.Errorf("on rejoin, who rejoined: %w", err)
		}
	}
	return m.tellsDevice("a device after the rejoin")
}

// changesAreListed asks which device lists changed while the other left, and while it was in the room again.
func (m company) changesAreListed() error {
	if m.peer != nil {
		m.room = m.peer.In(m.roomID) // as it is since the last rejoin
	}
	from := m.alice.SyncToken()
	changes := func(list string) error {
		return m.alice.SeesInSync("", func(synced *csapi.Response) error {
			to := synced.Get("next_batch").String()
			query := url.Values{"from": {from}, "to": {to}}
			answer, err := m.alice.Do(m.C.Context(), http.MethodGet, csapi.V3("keys", "changes"), query, nil)
			if err == nil {
				err = match.Contains(list, match.KeyEqual("@this", m.other()))(answer.JSON())
			}
			if err == nil {
				from = to
			}
			return err
		})
	}
	m.leaves()
	if err := changes("left"); err != nil {
		return fmt.Errorf("on leave: %w", err)
	}
	m.joins()
	if err := changes("changed"); err != nil {
		return fmt.Errorf("on rejoin: %w", err)
	}
	return nil
}

// leaves lets the other leave.
func (m company) leaves() {
	if m.bob != nil {
		m.C.Need("membership/leave", m.bob.LeaveRoom(m.C.Context(), m.roomID))
		return
	}
	m.room.Leaves(m.carol)
}

// tellsDevice gives the other a new device. Alice must be told of it and find its keys, and messages to devices must arrive in both
// directions. If the other is of a peer, the peer must be told of a new device of Alice, too.
func (m company) tellsDevice(word string) error {
	c := m.C
	since := m.alice.SyncToken()
	device := ""
	if m.bob != nil {
		ofBob := m.bob.SyncToken()
		device = m.bob.NewDevice().DeviceID
		if err := m.bob.SendToDevice(c.Context(), scenes.ToDeviceType, toAllDevices(m.alice.UserID, word)); err != nil {
			return err
		}
		if err := m.alice.SendToDevice(c.Context(), scenes.ToDeviceType, toAllDevices(m.bob.UserID, word)); err != nil {
			return err
		}
		if err := m.bob.SeesInSync(ofBob, toldBy(m.alice.UserID, word)); err != nil {
			return err
		}
	} else {
		device = newDeviceOf(m.peer, m.carol, m.alice.UserID, word)
		for _, kind := range []scenes.EDU{scenes.DeviceLists, scenes.ToDevice} {
			caused, err := kind.Happens(c.Context(), scenes.Occasion{User: m.alice, Word: word, Remotes: []*federation.User{m.carol}})
			if err == nil {
				err = kind.Arrives(m.peer, caused)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", word, err)
			}
		}
	}
	changed, told := listed("changed", m.other()), toldBy(m.other(), word)
	var listChanged, messageCame error = errNotYet, errNotYet
	if err := m.alice.SeesInSync(since, func(answer *csapi.Response) error {
		if listChanged != nil {
			listChanged = changed(answer)
		}
		if messageCame != nil {
			messageCame = told(answer)
		}
		return errors.Join(listChanged, messageCame)
	}); err != nil {
		return fmt.Errorf("%s: %w", word, err)
	}
	answer, err := m.alice.QueryKeys(c.Context(), m.other())
	if err != nil {
		return err
	}
	return match.KeyPresent(match.Path("device_keys", m.other(), device, "keys"))(answer.JSON())
}

var errNotYet = errors.New("no answer of /sync yet")

// toAllDevices is a message to all devices of a user.
func toAllDevices(userID, word string) map[string]map[string]any {
	return map[string]map[string]any{userID: {"*": map[string]any{"word": word}}}
}

// toldBy requires a message of a user to a device.
func toldBy(userID, word string) func(*csapi.Response) error {
	came := match.Contains("to_device.events", match.All(match.KeyEqual("sender", userID), match.KeyEqual("content.word", word)))
	return func(answer *csapi.Response) error { return came(answer.JSON()) }
}

// newDeviceOf gives a user of a peer a new device, as the only one, which the peer announces to hs1 and sends a message from.
func newDeviceOf(peer *stage.Peer, user *federation.User, to, word string) (deviceID string) {
	deviceID = fmt.Sprintf("DEVICE%d", time.Now().UnixNano())
	key := string(pseudoid.GenerateKeyPair().Public) // any key will do: nobody verifies it
	keys := map[string]any{
		"user_id": user.ID(), "device_id": deviceID, "algorithms": []string{"m.olm.v1.curve25519-aes-sha2"},
		"keys":       map[string]string{"ed25519:" + deviceID: key, "curve25519:" + deviceID: key},
		"signatures": map[string]any{},
	}
	stream := time.Now().UnixMilli()
	peer.Handle(federation.UserDevices, func(*federation.Request, func() federation.Answer) federation.Answer {
		devices := []any{map[string]any{"device_id": deviceID, "keys": keys}}
		return federation.JSON(http.StatusOK, map[string]any{"user_id": user.ID(), "stream_id": stream, "devices": devices})
	})
	peer.Handle(federation.UserKeysQuery, func(*federation.Request, func() federation.Answer) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"device_keys": map[string]any{user.ID(): map[string]any{deviceID: keys}}})
	})
	peer.SendsEDU("m.direct_to_device", map[string]any{
		"sender": user.ID(), "type": scenes.ToDeviceType, "message_id": deviceID, "messages": toAllDevices(to, word),
	})
	// Servers that miss an update ask for all devices.
	peer.SendsEDU("m.device_list_update", map[string]any{
		"user_id": user.ID(), "device_id": deviceID, "stream_id": stream, "prev_id": []int64{stream - 1}, "keys": keys,
	})
	return deviceID
}
