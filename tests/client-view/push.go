package clientview

// Push rules, unread counts and notifications.

import (
	"fmt"
	"net/http"
	"net/url"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// Push rules look at user IDs, and at the power of who sent the event: they have the same effect as in any room (MSC4014, hard
// requirement 1).
func init() {
	for _, from := range []origin{local, remote} {
		features := []feature{
			{"unread counts", company.countsUnread},
			{"mentions by user ID", company.countsMention},
			{"mentions by display name", company.countsName},
			{"push rules for a sender", company.appliesSenderRule},
			{"mentions of the room, by the power of the sender", company.countsRoomMention},
			{"notifications", company.listsNotifications},
		}
		check.Register(check.Check{
			Name:     "events of " + string(from) + " notify and are counted by push rules",
			Requires: []string{"client-view/push-and-notifications"},
			Path:     string(from),
			Slow:     inVain,
			Body:     func(c *check.C) { works(c, from, nil, features) },
		})
	}
}

// counts are the unread counts of Alice in the room: notifications, and highlights among them.
type counts struct{ notifications, highlights int64 }

// unread returns the unread counts of an initial /sync: a count that changes after the room did is not in every server's incremental one.
func (m company) unread() (counts, error) {
	answer, err := m.alice.Sync(m.C.Context(), "", 0, "")
	if err != nil {
		return counts{}, err
	}
	unread := answer.Get(match.Path("rooms", "join", m.roomID, "unread_notifications"))
	return counts{unread.Get("notification_count").Int(), unread.Get("highlight_count").Int()}, nil
}

// seesCounts asks for the unread counts again and again, until accept returns nil.
func (m company) seesCounts(accept func(now counts) error) error {
	return m.alice.SeesInTime(func() error {
		now, err := m.unread()
		if err != nil {
			return err
		}
		return accept(now)
	})
}

// awaitsCounts waits until the unread counts are these.
func (m company) awaitsCounts(want counts) error {
	return m.seesCounts(func(now counts) error {
		if now != want {
			return fmt.Errorf("unread: %d notifications with %d highlights, wanted %d with %d", now.notifications, now.highlights,
				want.notifications, want.highlights)
		}
		return nil
	})
}

// readsAll lets the other say something, and Alice read that once it is counted. A server may count late: a message that is counted after
// its receipt would stay unread. It may also take a receipt late: one that changes no count, so that nothing shows when it was taken, may
// be taken after the next message, and hide it.
func (m company) readsAll() error {
	before, err := m.unread()
	if err != nil {
		return err
	}
	eventID, err := m.says("to be read", nil)
	if err != nil {
		return err
	}
	err = m.seesCounts(func(now counts) error {
		if now.notifications <= before.notifications {
			return fmt.Errorf("unread: %d notifications, wanted more than the %d before the last message", now.notifications, before.notifications)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := m.alice.SendReceipt(m.C.Context(), m.roomID, "m.read", eventID); err != nil {
		return err
	}
	return m.awaitsCounts(counts{})
}

// countsAfter lets Alice read everything and the other say something, and waits for the counts.
func (m company) countsAfter(text string, more map[string]any, want counts) (eventID string, err error) {
	if err := m.readsAll(); err != nil {
		return "", err
	}
	if eventID, err = m.says(text, more); err != nil {
		return "", err
	}
	return eventID, m.awaitsCounts(want)
}

func (m company) countsUnread() error {
	if _, err := m.countsAfter("one message", nil, counts{1, 0}); err != nil {
		return err
	}
	if _, err := m.says("another", nil); err != nil {
		return err
	}
	if err := m.awaitsCounts(counts{2, 0}); err != nil {
		return err
	}
	return m.readsAll()
}

// mentioning is the m.mentions of a message.
func mentioning(mentions map[string]any) map[string]any {
	return map[string]any{"m.mentions": mentions}
}

func (m company) countsMention() error {
	_, err := m.countsAfter("hello", mentioning(map[string]any{"user_ids": []string{m.alice.UserID}}), counts{1, 1})
	if err != nil {
		return err
	}
	_, err = m.countsAfter("hello", mentioning(map[string]any{"user_ids": []string{m.other()}}), counts{1, 0})
	return err
}

// countsName lets the other write Alice's display name, which her member event in the room has.
func (m company) countsName() error {
	const name = "Alice of the looking glass"
	if err := m.alice.SetDisplayName(m.C.Context(), name); err != nil {
		return err
	}
	ctx, cancel := m.C.Within(stage.Patience)
	defer cancel()
	named := match.All(match.Membership(m.alice.UserID, "join"), match.KeyEqual("content.displayname", name))
	if _, err := m.alice.Timeline(m.roomID).Wait(ctx, named); err != nil {
		return err
	}
	_, err := m.countsAfter("hello "+name+", how are you", nil, counts{1, 1})
	return err
}

// appliesSenderRule has a push rule of Alice that highlights whatever the other sends.
func (m company) appliesSenderRule() error {
	rule := csapi.V3("pushrules", "global", "sender", m.other())
	actions := map[string]any{"actions": []any{"notify", map[string]any{"set_tweak": "highlight"}}}
	if _, err := m.alice.Do(m.C.Context(), http.MethodPut, rule, nil, actions); err != nil {
		return err
	}
	_, err := m.countsAfter("said by somebody with a rule", nil, counts{1, 1})
	if _, gone := m.alice.Do(m.C.Context(), http.MethodDelete, rule, nil, nil); err == nil {
		err = gone
	}
	return err
}

// countsRoomMention mentions the room, which takes power: without it, and with it.
func (m company) countsRoomMention() error {
	everybody := mentioning(map[string]any{"room": true})
	if _, err := m.countsAfter("@room hello", everybody, counts{1, 0}); err != nil {
		return fmt.Errorf("without power: %w", err)
	}
	given := m.alice.GivesPower(m.roomID, map[string]int{m.other(): 50})
	if m.room != nil {
		if err := m.room.Receives(given); err != nil {
			return err
		}
	}
	if _, err := m.countsAfter("@room hello", everybody, counts{1, 1}); err != nil {
		return fmt.Errorf("with power: %w", err)
	}
	return nil
}

func (m company) listsNotifications() error {
	eventID, err := m.countsAfter("to be notified of", nil, counts{1, 0})
	if err != nil {
		return err
	}
	answer, err := m.alice.Do(m.C.Context(), http.MethodGet, csapi.V3("notifications"), url.Values{"limit": {"20"}}, nil)
	if err != nil {
		return err
	}
	return match.Contains("notifications", match.All(
		match.KeyEqual("room_id", m.roomID), match.KeyEqual("event.event_id", eventID), match.KeyEqual("event.sender", m.other()),
	))(answer.JSON())
}
