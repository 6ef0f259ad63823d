package stage

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/pseudoid"
)

// User is a user of a server under test, and its client.
type User struct {
	*csapi.Client
	stage *Stage
	place int
	blame string // the requirement to blame for a failed step; "" for the one that the check judges
}

// Blaming returns the same user with another requirement to blame for failed steps, which then block the check. Without it, a step
// blames the requirement that the check judges, or one of its own.
func (u *User) Blaming(requirement string) *User {
	blaming := *u
	blaming.blame = requirement
	return &blaming
}

func (u *User) need(err error) { u.stage.need(u.blame, err) }

// Option is a field of createRoom.
type Option struct {
	Name  string
	Value any
}

// Public is the option for a room that everybody may join.
var Public = Option{"preset", "public_chat"}

// Private is the option for a room that requires an invite.
var Private = Option{"preset", "private_chat"}

// InitialState adds a state event to a new room.
func InitialState(eventType, stateKey string, content map[string]any) Option {
	return Option{"initial_state", map[string]any{"type": eventType, "state_key": stateKey, "content": content}}
}

// TryRoom creates a room of a version and returns its ID.
func (u *User) TryRoom(version string, options ...Option) (roomID string, err error) {
	body := map[string]any{"room_version": version}
	for _, option := range options {
		if option.Name == "initial_state" {
			state, _ := body[option.Name].([]any)
			body[option.Name] = append(state, option.Value)
			continue
		}
		body[option.Name] = option.Value
	}
	return u.CreateRoom(u.stage.C.Context(), body)
}

// Makes creates a pseudo-ID room and returns its ID.
func (u *User) Makes(options ...Option) (roomID string) {
	roomID, err := u.TryRoom(u.stage.Format().RoomVersion, options...)
	u.stage.C.Need("room-version/created", err)
	return roomID
}

// MakesOrdinary creates a room of version 10 and returns its ID.
func (u *User) MakesOrdinary(options ...Option) (roomID string) {
	roomID, err := u.TryRoom(pseudoid.FormatV10.RoomVersion, options...)
	u.stage.C.Need(OrdinaryRooms, err)
	return roomID
}

// Joins joins a room, through the servers via if given.
func (u *User) Joins(roomID string, via ...string) {
	_, err := u.JoinRoom(u.stage.C.Context(), roomID, via...)
	requirement := "membership/join-local"
	if len(via) > 0 {
		requirement = "membership/join-remote"
	}
	u.stage.C.Need(requirement, err)
}

// Leaves leaves a room of the user's server.
func (u *User) Leaves(roomID string) {
	u.stage.C.Need("membership/leave", u.LeaveRoom(u.stage.C.Context(), roomID))
}

// LeavesRemote leaves a room of another server.
func (u *User) LeavesRemote(roomID string) {
	u.stage.C.Need("membership/leave-remote", u.LeaveRoom(u.stage.C.Context(), roomID))
}

// Says sends a text message and returns its event ID.
func (u *User) Says(roomID, text string) (eventID string) {
	eventID, err := u.SendMessage(u.stage.C.Context(), roomID, text)
	u.stage.C.Need("client-view/unmodified-client", err)
	return eventID
}

// Sets sends a state event and returns its event ID.
func (u *User) Sets(roomID, eventType, stateKey string, content map[string]any) (eventID string) {
	eventID, err := u.SendState(u.stage.C.Context(), roomID, eventType, stateKey, content)
	u.stage.C.Need("client-view/unmodified-client", err)
	return eventID
}

// Awaits waits until the user's client sees an event of the room that matches, and returns it.
func (u *User) Awaits(roomID string, match func(event gjson.Result) error) gjson.Result {
	ctx, cancel := u.stage.C.Within(Patience)
	defer cancel()
	event, err := u.Timeline(roomID).Wait(ctx, match)
	u.need(err)
	return event
}

// AwaitsEvent waits for one event by its ID, and returns it as the client sees it now.
func (u *User) AwaitsEvent(roomID, eventID string) gjson.Result {
	event, err := u.seesEvent(roomID, eventID)
	u.need(err)
	return event
}

// AwaitsEventBy is AwaitsEvent for an event of a user who may be verified after clients are shown the event (LetsVerify): it waits as long as
// it is shown as sent by a placeholder. What it returns the check judges: at the deadline, that may be one still.
func (u *User) AwaitsEventBy(roomID, eventID, userID string) (shown gjson.Result) {
	shown = u.AwaitsEvent(roomID, eventID)
	pending := func() bool {
		sender := shown.Get("sender").String()
		return sender != userID && u.stage.isPlaceholder(u.place, sender, nil) == nil
	}
	if !pending() {
		return shown
	}
	u.stage.C.Timely(u.SeesInTime(func() error {
		event, err := u.seesEvent(roomID, eventID)
		if err != nil {
			return err
		}
		if shown = event; pending() {
			return fmt.Errorf("%s is shown as sent by %s, not %s", eventID, shown.Get("sender").String(), userID)
		}
		return nil
	}))
	return shown
}

// AwaitsRedaction waits until the client is shown a redaction and what the user says after that: by then, the redaction has taken effect.
func (u *User) AwaitsRedaction(roomID, redactionID string) {
	u.AwaitsEvent(roomID, redactionID)
	u.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, u.Says(roomID, "said after the redaction"))
}

// SeesEvent is AwaitsEvent for positive controls: it returns an error if the event does not come.
func (u *User) SeesEvent(roomID, eventID string) error {
	_, err := u.seesEvent(roomID, eventID)
	return err
}

func (u *User) seesEvent(roomID, eventID string) (gjson.Result, error) {
	ctx, cancel := u.stage.C.Within(Patience)
	defer cancel()
	return u.WaitForEventID(ctx, roomID, eventID)
}

// AwaitsMembership waits until the client sees the membership of a user.
func (u *User) AwaitsMembership(roomID, userID, membership string) gjson.Result {
	event, err := u.SeesMembership(roomID, userID, membership)
	u.need(err)
	return event
}

// SeesMembership is AwaitsMembership for positive controls: it returns an error if the membership does not come.
func (u *User) SeesMembership(roomID, userID, membership string) (gjson.Result, error) {
	ctx, cancel := u.stage.C.Within(Patience)
	defer cancel()
	return u.Timeline(roomID).Wait(ctx, match.Membership(userID, membership))
}

// Reads returns an event by its ID (GET /event).
func (u *User) Reads(roomID, eventID string) gjson.Result {
	event, err := u.Event(u.stage.C.Context(), roomID, eventID)
	u.stage.C.Need("client-view/unmodified-client", err)
	return event.JSON()
}

// PagesBackTo pages back through /messages until it finds an event, which the server may have to fetch from other servers.
func (u *User) PagesBackTo(roomID, eventID string) (gjson.Result, error) {
	const maxPages = 10
	from := ""
	for range maxPages {
		page, err := u.Messages(u.stage.C.Context(), roomID, from, "b", 20)
		if err != nil {
			return gjson.Result{}, err
		}
		for _, event := range page.Get("chunk").Array() {
			if event.Get("event_id").String() == eventID {
				return event, nil
			}
		}
		next := page.Get("end").String()
		if next == "" || next == from {
			break
		}
		from = next
	}
	return gjson.Result{}, fmt.Errorf("%s paged back through /messages of %s and did not find %s", u.UserID, roomID, eventID)
}

// NewDevice logs in another device of the user, which uploads its keys for end-to-end encryption.
func (u *User) NewDevice() *User {
	c := u.stage.C
	client, err := u.Server.Login(c.Context(), u.UserID, u.password())
	c.Need("client-view/unmodified-client", err)
	c.Need("client-view/unmodified-client", client.UploadDeviceKeys(c.Context()))
	return &User{Client: client, stage: u.stage, place: u.place}
}

// shortHold is the timeout of /sync in SeesInSync.
const shortHold = 250 * time.Millisecond

// AwaitsSync polls /sync from a token until satisfied returns nil.
func (u *User) AwaitsSync(since string, satisfied func(*csapi.Response) error) {
	u.need(u.SeesInSync(since, satisfied))
}

// SeesInSync is AwaitsSync for positive controls: it returns an error at the deadline, beginning with what the last answer lacked. It
// polls often, because some servers do not answer a /sync that they hold when a device list changes.
func (u *User) SeesInSync(since string, satisfied func(*csapi.Response) error) error {
	ctx, cancel := u.stage.C.Within(Patience)
	defer cancel()
	var lacks error
	for ctx.Err() == nil {
		answer, err := u.Sync(ctx, since, shortHold, "")
		if err != nil {
			return errors.Join(lacks, err)
		}
		since = answer.Get("next_batch").String()
		if lacks = satisfied(answer); lacks == nil {
			return nil
		}
	}
	return errors.Join(lacks, ctx.Err())
}

// SeesInTime looks until look returns nil, again after each answer to /sync that comes before its hold ends: something has changed. Each
// time that none does, it looks as well, and the next hold is twice as long. At the deadline it looks a last time, and returns that error
// of look. It is for what a server may show otherwise at first, such as members that it verifies in the background, with or without an
// event that says so.
func (u *User) SeesInTime(look func() error) error {
	lacks := look()
	if lacks == nil {
		return nil
	}
	ctx, cancel := u.stage.C.Within(Patience)
	defer cancel()
	hold := time.Duration(0) // of the initial /sync, after which nothing has changed yet
	for since := ""; ; {
		asked := time.Now()
		answer, err := u.Sync(ctx, since, hold, "")
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			if ctx.Err() != nil && u.stage.C.Context().Err() == nil {
				lacks = look()
			}
			if lacks == nil {
				return nil
			}
			return errors.Join(lacks, err)
		}
		since = answer.Get("next_batch").String()
		if hold == 0 {
			hold = shortHold
			continue
		}
		if time.Since(asked) >= hold {
			hold *= 2
		}
		if lacks = look(); lacks == nil {
			return nil
		}
	}
}

// SyncToken returns the next_batch of an initial /sync.
func (u *User) SyncToken() string {
	answer, err := u.Sync(u.stage.C.Context(), "", 0, "")
	u.stage.C.Need("client-view/unmodified-client", err)
	return answer.Get("next_batch").String()
}

// Deactivates deactivates the user's account.
func (u *User) Deactivates() {
	u.stage.C.Need("client-view/unmodified-client", u.Deactivate(u.stage.C.Context(), u.password(), false))
}

func (u *User) password() string { return passwordOf(u.Localpart()) }

// Localpart returns the localpart of the user ID, which clients show as the name of a user without another.
func (u *User) Localpart() string { return localpartOf(u.UserID) }

func localpartOf(userID string) string {
	localpart, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	return localpart
}
