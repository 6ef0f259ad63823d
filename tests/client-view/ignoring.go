package clientview

// Users that ignore others, and rooms for direct messages.

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// Users ignore user IDs (client-server API, Ignoring Users), and clients tell by is_direct which rooms are for direct messages (Direct
// Messaging): in pseudo-ID rooms as in others (MSC4014, hard requirement 1).
func init() {
	for _, from := range []origin{local, remote} {
		ignoring := []feature{{"messages", company.hidesMessage}}
		if from == local {
			ignoring = append(ignoring, feature{"invites", company.hidesInvite})
		}
		check.Register(check.Check{
			Name:     "what " + string(from) + " sends who is ignored is not shown",
			Requires: []string{"client-view/filters"},
			Path:     string(from),
			Slow:     inVain,
			Body:     func(c *check.C) { works(c, from, nil, ignoring) },
		})
		check.Register(check.Check{
			Name:     "an invite of " + string(from) + " says that the room is for direct messages",
			Requires: []string{"client-view/unmodified-client"},
			Path:     string(from),
			Slow:     inVain,
			Body:     func(c *check.C) { works(c, from, nil, []feature{{"is_direct", company.saysDirect}}) },
		})
	}
}

// ignores lets Alice ignore the other, and nobody else.
func (m company) ignores() error {
	path := csapi.V3("user", m.alice.UserID, "account_data", "m.ignored_user_list")
	ignored := map[string]any{"ignored_users": map[string]any{m.other(): map[string]any{}}}
	_, err := m.alice.Do(m.C.Context(), http.MethodPut, path, nil, ignored)
	return err
}

// friend is another user from where the other is: what it sends after the other arrives after that.
func (m company) friend() (say func(text string) (eventID string, err error), err error) {
	if m.bob != nil {
		dave := m.User("dave")
		_, err := dave.JoinRoom(m.C.Context(), m.roomID)
		return func(text string) (string, error) { return dave.SendMessage(m.C.Context(), m.roomID, text) }, err
	}
	dave := m.peer.User("dave")
	m.room.JoinsByEvent(dave)
	return func(text string) (string, error) { return m.room.Says(dave, text).ID(), nil }, nil
}

// hidesMessage lets Alice ignore the other, whom she was shown before; a friend, whom she does not ignore, speaks after it.
func (m company) hidesMessage() error {
	if _, err := m.says("said before being ignored", nil); err != nil {
		return err
	}
	say, err := m.friend()
	if err := errors.Join(err, m.ignores()); err != nil {
		return err
	}
	token := m.alice.SyncToken()
	ignored := ""
	if m.bob != nil {
		if ignored, err = m.bob.SendMessage(m.C.Context(), m.roomID, "said by somebody who is ignored"); err != nil {
			return err
		}
	} else {
		ignored = m.room.Says(m.carol, "said by somebody who is ignored").ID()
	}
	last, err := say("said by a friend of somebody who is ignored")
	if err == nil {
		err = m.alice.SeesEvent(m.roomID, last)
	}
	if err != nil {
		return err
	}
	for _, since := range []string{"", token} {
		synced, err := m.alice.Sync(m.C.Context(), since, 0, "")
		if err != nil {
			return err
		}
		if slices.ContainsFunc(csapi.EventsIn(synced, m.roomID), func(event gjson.Result) bool { return match.EventID(ignored)(event) == nil }) {
			return fmt.Errorf("a message of %s is shown to a user who ignores it", m.other())
		}
	}
	return nil
}

// hidesInvite lets the other, whom Alice ignores, and then a friend invite her.
func (m company) hidesInvite() error {
	if err := m.ignores(); err != nil {
		return err
	}
	invites := func(by *stage.User) (roomID string, err error) {
		return m.makes(by, stage.Private, stage.Option{Name: "invite", Value: []string{m.alice.UserID}})
	}
	hidden, err := invites(m.bob)
	if err != nil {
		return err
	}
	shown, err := invites(m.User("dave"))
	if err != nil {
		return err
	}
	return m.alice.SeesInSync("", func(synced *csapi.Response) error {
		if err := match.KeyPresent(match.Path("rooms", "invite", shown))(synced.JSON()); err != nil {
			return err
		}
		if synced.Get(match.Path("rooms", "invite", hidden)).Exists() {
			return fmt.Errorf("an invite by %s is shown to a user who ignores it", m.other())
		}
		return nil
	})
}

// makes creates another room of the same kind.
func (m company) makes(by *stage.User, options ...stage.Option) (roomID string, err error) {
	version := m.Format().RoomVersion
	if m.ordinary {
		version = pseudoid.FormatV10.RoomVersion
	}
	return by.TryRoom(version, options...)
}

// saysDirect lets Alice create a room for direct messages with the other.
func (m company) saysDirect() error {
	if m.bob == nil && !m.ordinary {
		m.TakesInvites()
	}
	roomID, err := m.makes(m.alice, stage.Private, stage.Option{Name: "is_direct", Value: true},
		stage.Option{Name: "invite", Value: []string{m.other()}})
	if err != nil {
		return err
	}
	says := match.KeyEqual("content.is_direct", true)
	if m.bob == nil {
		ctx, cancel := m.C.Within(stage.Patience)
		defer cancel()
		request, err := m.peer.WaitForRequest(ctx, func(request federation.Request) bool {
			return request.Endpoint == federation.Invite && gjson.GetBytes(request.Body, "event.room_id").String() == roomID
		})
		if err != nil {
			return err
		}
		return says(gjson.GetBytes(request.Body, "event"))
	}
	return m.bob.SeesInSync("", func(synced *csapi.Response) error {
		return match.Contains(match.Path("rooms", "invite", roomID)+".invite_state.events",
			match.All(match.Membership(m.bob.UserID, "invite"), says))(synced.JSON())
	})
}
