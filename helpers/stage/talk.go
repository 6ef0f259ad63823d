package stage

import (
	"fmt"

	"github.com/stretchr/testify/assert"

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
	shown := local.Blaming(r.blame).AwaitsEvent(r.ID(), said.ID())
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
	shown := u.AwaitsEvent(roomID, eventID)
	assert.Equal(c, speaker.UserID, shown.Get("sender").String(), "sender of a message, as another client sees it")
}

// SeesMembers ensures that the client sees exactly these joined members.
func (u *User) SeesMembers(roomID string, userIDs ...string) {
	c := u.stage.C
	answer, err := u.JoinedMembers(c.Context(), roomID)
	u.need(err)
	var shown []string
	for userID := range answer.Get("joined").Map() {
		shown = append(shown, userID)
	}
	assert.ElementsMatch(c, userIDs, shown, fmt.Sprintf("the joined members that %s sees", u.UserID))
}
