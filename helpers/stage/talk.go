package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
)

// AppliesText applies a text message of a user of the peer to the peer's room, without sending it.
func (r *Room) AppliesText(sender *federation.User, body string) federation.Event {
	event := r.Builds(federation.TextMessage(sender, body))
	r.Apply(event)
	return event
}

// ExchangesMessages lets a user of the server under test and a user of the peer send one message each. Each side must receive the
// other's message, and the client must see its sender as a user ID.
func (r *Room) ExchangesMessages(local *User, remote *federation.User) {
	c := r.stage.C
	said := r.Says(remote, "said by a user of the peer")
	shown := local.Blaming(r.blame).AwaitsEventBy(r.ID(), said.ID(), remote.ID())
	assert.Equal(c, remote.ID(), shown.Get("sender").String(), "sender of a remote message, as a client sees it")
	r.Hears(local)
}

// Hears lets a user of a server under test send a message, which the peer must receive as sent by that user.
func (r *Room) Hears(local *User) federation.Event {
	c := r.stage.C
	eventID, err := local.SendMessage(c.Context(), r.ID(), "said by "+local.UserID)
	r.need(err)
	received := r.AwaitsEvent(eventID)
	assert.Equal(c, local.UserID, r.UserIDOf(received.Sender()),
		"the user of the sender key of a message, by its mapping")
	return received
}

// Hears lets another user of a server under test send a message, which this user must see as sent by that user.
func (u *User) Hears(roomID string, speaker *User) {
	c := u.stage.C
	eventID, err := speaker.SendMessage(c.Context(), roomID, "said by "+speaker.UserID)
	u.need(err)
	shown := u.AwaitsEventBy(roomID, eventID, speaker.UserID)
	assert.Equal(c, speaker.UserID, shown.Get("sender").String(), "sender of a message, as another client sees it")
}

// SeesMembers ensures that the client sees exactly these joined members, once they are verified (LetsVerify).
func (u *User) SeesMembers(roomID string, userIDs ...string) {
	shown, refusal := u.awaitsMembers(roomID, userIDs)
	u.need(refusal)
	assert.ElementsMatch(u.stage.C, userIDs, shown, fmt.Sprintf("the joined members that %s sees", u.UserID))
}

// LetsVerify waits until the client sees joined members by user ID, as long as it sees placeholders. A server may verify the members of a
// room that it enters after its user has joined, and show placeholders and send their servers nothing until then (MSC1228, Handling the
// mxid mapping). It judges nothing: if they do not come in time, the check judges what it sees then.
func (u *User) LetsVerify(roomID string, userIDs ...string) { _, _ = u.awaitsMembers(roomID, userIDs) }

// JoinedMembers shadows that of csapi. A server that refuses /joined_members of ordinary rooms, too, need not have it: what it says is then taken
// from /members.
func (u *User) JoinedMembers(ctx context.Context, roomID string) (*csapi.Response, error) {
	answer, refusal := u.Client.JoinedMembers(ctx, roomID)
	if _, isRefused := csapi.Refused(refusal); !isRefused || u.stage.listsMembers(u.place) {
		return answer, refusal
	}
	listed, err := u.Members(ctx, roomID, url.Values{"membership": {"join"}})
	if err != nil {
		return nil, err
	}
	joined := map[string]any{}
	for _, event := range listed.Get("chunk").Array() {
		if event.Get("content.membership").String() == "join" {
			joined[event.Get("state_key").String()] = map[string]any{
				"display_name": event.Get("content.displayname").Value(), "avatar_url": event.Get("content.avatar_url").Value(),
			}
		}
	}
	if listed.Body, err = json.Marshal(map[string]any{"joined": joined}); err != nil {
		u.stage.C.SuiteError(err)
	}
	return listed, nil
}

// listsMembers reports whether a server has /joined_members, by an ordinary room.
func (s *Stage) listsMembers(place int) bool {
	s.mu.Lock()
	known, isKnown := s.lists[place]
	s.mu.Unlock()
	if isKnown {
		return known
	}
	user := s.UserAt(place, "ordinary-member")
	_, err := user.Client.JoinedMembers(s.C.Context(), user.MakesOrdinary())
	if csapi.NoAnswer(err) {
		s.C.Need("resilience/stays-up", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lists == nil {
		s.lists = map[int]bool{}
	}
	s.lists[place] = err == nil
	if err != nil {
		s.C.Notef("clients are refused /joined_members of ordinary rooms, too: /members stands in for it: %v", err)
	}
	return err == nil
}

// awaitsMembers waits until the client sees all of these joined members, or no placeholder. It returns all that it sees then, or at the
// deadline, or why that is refused.
func (u *User) awaitsMembers(roomID string, userIDs []string) (shown []string, refusal error) {
	c := u.stage.C
	pending := func(userID string) bool {
		return !slices.Contains(userIDs, userID) && u.stage.isPlaceholder(u.place, userID, nil) == nil
	}
	c.Timely(u.SeesInTime(func() error {
		var answer *csapi.Response
		if answer, refusal = u.JoinedMembers(c.Context(), roomID); refusal != nil {
			return nil
		}
		shown = keysOf(answer.Get("joined"))
		if !slices.ContainsFunc(shown, pending) {
			return nil
		}
		for _, userID := range userIDs {
			if !slices.Contains(shown, userID) {
				return fmt.Errorf("/joined_members does not have %s", userID)
			}
		}
		return nil
	}))
	return shown, refusal
}
