package clientview

// Receipts, typing and presence.

import (
	"fmt"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/scenes"
)

// What members do besides sending events is shown to each other by user ID, as in any room (MSC4014, hard requirement 1).
func init() {
	for _, from := range []origin{local, remote} {
		check.Register(check.Check{
			Name:     "receipts, typing and presence of " + string(from) + " are shown by user ID",
			Requires: []string{"client-view/receipts-typing-presence"},
			Path:     string(from),
			Slow:     inVain,
			Body: func(c *check.C) {
				worksOn(c, blueprints.PresentServer, from, nil, []feature{
					{"receipts", func(m company) error { return m.showsReceipt("") }},
					{"threaded receipts", func(m company) error { return m.showsReceipt("main") }},
					{"typing", company.showsTyping},
					{"presence", company.showsPresence},
				})
			},
		})
	}
}

// showsReceipt lets the other read a message of Alice, who must be told who read it; thread may be "".
func (m company) showsReceipt(thread string) error {
	c := m.C
	since := m.alice.SyncToken()
	eventID := m.alice.Says(m.roomID, "said to be read")
	if m.bob != nil {
		if err := m.bob.SeesEvent(m.roomID, eventID); err != nil {
			return err
		}
		body := map[string]any{}
		if thread != "" {
			body["thread_id"] = thread
		}
		path := csapi.V3("rooms", m.roomID, "receipt", "m.read", eventID)
		if _, err := m.bob.Do(c.Context(), http.MethodPost, path, nil, body); err != nil {
			return err
		}
	} else {
		data := map[string]any{"ts": time.Now().UnixMilli()}
		if thread != "" {
			data["thread_id"] = thread
		}
		receipt := map[string]any{m.carol.ID(): map[string]any{"data": data, "event_ids": []string{eventID}}}
		m.peer.SendsEDU("m.receipt", map[string]any{m.roomID: map[string]any{"m.read": receipt}})
	}
	ofOther := match.Path("content", eventID, "m.read", m.other())
	wanted := match.KeyPresent(ofOther)
	if thread != "" {
		wanted = match.KeyEqual(ofOther+".thread_id", thread)
	}
	return m.alice.SeesInSync(since, m.ephemeral("m.receipt", wanted))
}

// ephemeral requires that an ephemeral event of the room matches.
func (m company) ephemeral(eventType string, wanted match.Matcher) func(*csapi.Response) error {
	found := match.Contains(match.Path("rooms", "join", m.roomID, "ephemeral", "events"), match.All(match.Type(eventType), wanted))
	return func(answer *csapi.Response) error { return found(answer.JSON()) }
}

func (m company) showsTyping() error {
	since := m.alice.SyncToken()
	for _, typing := range []bool{true, false} {
		if m.bob == nil {
			m.peer.SendsEDU("m.typing", map[string]any{"room_id": m.roomID, "user_id": m.carol.ID(), "typing": typing})
		} else if err := m.bob.SetTyping(m.C.Context(), m.roomID, map[bool]int{true: 20_000}[typing]); err != nil {
			return err
		}
		want := []string{}
		if typing {
			want = append(want, m.other())
		}
		if err := m.alice.SeesInSync(since, m.ephemeral("m.typing", match.KeyEqual("content.user_ids", want))); err != nil {
			return err
		}
	}
	return nil
}

func (m company) showsPresence() error {
	since, word := m.alice.SyncToken(), "written by "+m.other()
	if m.bob == nil {
		m.peer.SendsEDU("m.presence", map[string]any{"push": []any{map[string]any{
			"user_id": m.carol.ID(), "presence": "unavailable", "status_msg": word, "last_active_ago": 1000,
		}}})
	} else if err := m.bob.SetPresence(m.C.Context(), "unavailable", word); err != nil {
		return err
	}
	shown := match.Contains("presence.events", match.All(match.KeyEqual("sender", m.other()), match.KeyEqual("content.status_msg", word)))
	return m.alice.SeesInSync(since, func(answer *csapi.Response) error { return shown(answer.JSON()) })
}

// The same the other way: a peer is told by user ID. What is private stays private.
var _ = check.Register(check.Check{
	Name:     "receipts, typing and presence reach a peer by user ID",
	Requires: []string{"client-view/receipts-typing-presence"},
	Path:     "to a peer",
	Slow:     inVain,
	Body: func(c *check.C) {
		var features []feature
		for _, kind := range []scenes.EDU{scenes.Receipts, scenes.Typing, scenes.Presence} {
			features = append(features, feature{kind.Name, func(m company) error {
				_, err := m.reachesPeer(kind)
				return err
			}})
		}
		worksOn(c, blueprints.PresentServer, remote, nil, append(features, feature{"private receipts", company.keepsReceiptPrivate}))
	},
})

// reachesPeer lets Alice cause an EDU, which must reach the peer, and returns the event that she wrote before.
func (m company) reachesPeer(kind scenes.EDU) (eventID string, err error) {
	eventID = m.alice.Says(m.roomID, "said to be read")
	caused, err := kind.Happens(m.C.Context(), scenes.Occasion{
		User: m.alice, RoomID: m.roomID, EventID: eventID, Word: "written by " + m.alice.UserID,
	})
	if err == nil {
		err = kind.Arrives(m.peer, caused)
	}
	return eventID, err
}

// keepsReceiptPrivate lets Alice set a private receipt and then a public one, and looks for the private one when the public one came.
func (m company) keepsReceiptPrivate() error {
	private := m.alice.Says(m.roomID, "said to be read in private")
	if err := m.alice.SendReceipt(m.C.Context(), m.roomID, "m.read.private", private); err != nil {
		return err
	}
	if _, err := m.reachesPeer(scenes.Receipts); err != nil {
		return err
	}
	for _, edu := range m.peer.ReceivedEDUs() {
		for kind, receipts := range gjson.GetBytes(edu.Raw, match.Path("content", m.roomID)).Map() {
			for userID, receipt := range receipts.Map() {
				if receipt.Get("event_ids.0").String() == private {
					return fmt.Errorf("the peer received a receipt (%s) of %s that is private", kind, userID)
				}
			}
		}
	}
	return nil
}

// Private receipts and the read marker are shown to the user alone, on all of its devices.
var _ = check.Register(check.Check{
	Name:     "private receipts and read markers are shown to their user alone",
	Requires: []string{"client-view/receipts-typing-presence"},
	Path:     "private",
	Slow:     inVain,
	Body: func(c *check.C) {
		works(c, local, nil, []feature{{"private receipts", company.showsPrivately}, {"read markers", company.showsMarker}})
	},
})

// showsPrivately lets Bob set a private receipt and then type: the first must be shown to him alone.
func (m company) showsPrivately() error {
	eventID := m.alice.Says(m.roomID, "said to be read in private")
	if err := m.bob.SeesEvent(m.roomID, eventID); err != nil {
		return err
	}
	since, ofBob := m.alice.SyncToken(), m.bob.SyncToken()
	if err := m.bob.SendReceipt(m.C.Context(), m.roomID, "m.read.private", eventID); err != nil {
		return err
	}
	private := m.ephemeral("m.receipt", match.KeyPresent(match.Path("content", eventID, "m.read.private", m.bob.UserID)))
	if err := m.bob.SeesInSync(ofBob, private); err != nil {
		return err
	}
	barrier := m.bob.Says(m.roomID, "said after the private receipt")
	var leaked error
	err := m.alice.SeesInSync(since, func(answer *csapi.Response) error {
		if private(answer) == nil {
			leaked = fmt.Errorf("another member is shown a private receipt")
		}
		return m.inTimeline(barrier)(answer)
	})
	if leaked != nil {
		return leaked
	}
	return err
}

// inTimeline requires an event of the room in an answer of /sync.
func (m company) inTimeline(eventID string) func(*csapi.Response) error {
	return func(answer *csapi.Response) error {
		return match.Contains(match.Path("rooms", "join", m.roomID, "timeline", "events"), match.EventID(eventID))(answer.JSON())
	}
}

func (m company) showsMarker() error {
	eventID := m.alice.Says(m.roomID, "said to be read up to here")
	if err := m.bob.SeesEvent(m.roomID, eventID); err != nil {
		return err
	}
	since, body := m.bob.SyncToken(), map[string]any{"m.fully_read": eventID, "m.read": eventID}
	ofAlice := m.alice.SyncToken()
	if _, err := m.bob.Do(m.C.Context(), http.MethodPost, csapi.V3("rooms", m.roomID, "read_markers"), nil, body); err != nil {
		return err
	}
	marker := match.All(match.Type("m.fully_read"), match.KeyEqual("content.event_id", eventID))
	if err := m.bob.SeesInSync(since, func(answer *csapi.Response) error {
		return match.Contains(match.Path("rooms", "join", m.roomID, "account_data", "events"), marker)(answer.JSON())
	}); err != nil {
		return err
	}
	return m.alice.SeesInSync(ofAlice, m.ephemeral("m.receipt", match.KeyPresent(match.Path("content", eventID, "m.read", m.bob.UserID))))
}
