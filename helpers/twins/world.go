package twins

// Where a session is played: users, and rooms that the session is played in side by side.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/transcript"
)

// Company is who plays a session: users that are in no room yet.
type Company struct {
	Users []*csapi.Client
	// Guests are the users of a peer.
	Guests []*federation.User
	// Ordinary and Pseudo are the room versions.
	Ordinary, Pseudo string
	// Within returns a context that ends after a time in which something must come.
	Within func(time.Duration) (context.Context, context.CancelFunc)
}

// room is one of the rooms in which a session is played.
type room struct {
	world   *world
	version string
	id      string
	tag     string         // a part of its aliases, which no other room has
	made    map[int]string // event IDs by step
	named   *namer
	feeds   []*feed // by user
	last    string  // the newest event that its maker was told of
}

// unknownEvent is an event ID of no event.
const unknownEvent = "$an-event-that-nobody-sent-and-nobody-will-see"

// event returns the ID of the event of a step.
func (r *room) event(step int) string {
	if id := r.made[step]; id != "" {
		return id
	}
	return unknownEvent
}

// alias returns an alias of the room on the server of its maker.
func (r *room) alias(name string) string {
	return "#" + name + "-" + r.tag + ":" + r.world.Users[0].Server.Name
}

func (r *room) via() url.Values {
	return url.Values{"via": {r.world.Users[0].Server.Name}, "server_name": {r.world.Users[0].Server.Name}}
}

// putLevels writes power levels as the maker of the room reads them, changed.
func (r *room) putLevels(change func(levels fields)) request {
	path := v3("rooms", r.id, "state", levelsType, "")
	levels := fields{}
	if now, err := r.world.ask(0, request{method: http.MethodGet, path: path}); err == nil && now.good() {
		levels, _ = now.body.(fields)
	}
	change(levels)
	return request{method: http.MethodPut, path: path, body: levels}
}

// inSync takes the room from an answer to /sync.
func (r *room) inSync(answer any) any {
	for _, section := range sections {
		if part := in(answer, "rooms", section, r.id); part != nil {
			return fields{section: part}
		}
	}
	return fields{}
}

// world is a play in progress.
type world struct {
	Company
	nonce   string // the same in all rooms
	rooms   []*room
	meeting string   // the room in which barriers are sent
	since   []string // by user, the newest next_batch
	began   []string // by user, that of before the rooms were made
	looked  []string // by user, that of when all views were first compared
	kept    []transcript.Exchange
}

// listen keeps the exchanges of the users.
func (w *world) listen() {
	for i, user := range w.Users {
		listened, sink := *user, user.Server.Sink
		listened.Server.Sink = transcript.SinkFunc(func(exchange transcript.Exchange) {
			w.kept = append(w.kept, exchange) // users ask one after the other
			if sink != nil {
				sink.Record(exchange)
			}
		})
		w.Users[i] = &listened
	}
}

// heard returns the exchanges since it was last called.
func (w *world) heard() []transcript.Exchange {
	kept := w.kept
	w.kept = nil
	return kept
}

func (w *world) userID(user int) string {
	if guest := user - len(w.Users); guest >= 0 {
		return w.Guests[guest].ID()
	}
	return w.Users[user].UserID
}

// answer is what came of a request.
type answer struct {
	status  int
	errCode string
	body    any
}

func (a answer) good() bool { return a.status/100 == 2 }

// outcome is what clients act upon: the status, and the error code.
func (a answer) outcome() string {
	if a.errCode == "" {
		return fmt.Sprint(a.status)
	}
	return fmt.Sprintf("%d %s", a.status, a.errCode)
}

// ask makes a request. It returns an error if there is no answer.
func (w *world) ask(user int, asked request) (answer, error) {
	ctx, cancel := w.Within(patience)
	defer cancel()
	response, err := w.Users[user].Do(ctx, asked.method, asked.path, asked.query, asked.body)
	if refusal, refused := csapi.Refused(err); refused {
		return answer{refusal.Status, refusal.ErrCode, nil}, nil
	}
	if err != nil {
		return answer{}, err
	}
	result := answer{status: response.Status}
	if err := json.Unmarshal(response.Body, &result.body); err != nil {
		return answer{}, fmt.Errorf("%s %s: the answer is not JSON: %w", asked.method, asked.path, err)
	}
	return result, nil
}

const (
	// patience bounds the wait for something that must come.
	patience = 8 * time.Second
	// grace bounds the wait for what may come after a barrier: receipts, typing, counts.
	grace = 2 * time.Second
	// hold is how long a server is asked to hold a /sync.
	hold = 500 * time.Millisecond
)

// lostSyncError says that a user's /sync fails, in which all rooms are.
type lostSyncError struct{ err error }

func (e *lostSyncError) Error() string { return e.err.Error() }

func (e *lostSyncError) Unwrap() error { return e.err }

// sync makes one /sync of a user, and takes what it says of the rooms.
func (w *world) sync(ctx context.Context, user int, timeout time.Duration) (any, error) {
	filter := asJSON(fields{
		"presence": nobodys, "account_data": nobodys,
		"room": fields{"include_leave": true, "timeline": fields{"limit": 100}},
	})
	response, err := w.Users[user].Sync(ctx, w.since[user], timeout, filter)
	if err != nil {
		if _, refused := csapi.Refused(err); refused {
			return nil, &lostSyncError{err}
		}
		return nil, err
	}
	var said any
	if err := json.Unmarshal(response.Body, &said); err != nil {
		return nil, fmt.Errorf("/sync: the answer is not JSON: %w", err)
	}
	token, _ := in(said, "next_batch").(string)
	if token == "" {
		return nil, errors.New("/sync: the answer has no next_batch")
	}
	w.since[user] = token
	for _, each := range w.rooms {
		told := each.feeds[user]
		told.take(said, each.id)
		if user == 0 && len(told.timeline) > 0 {
			each.last, _ = in(told.timeline[len(told.timeline)-1], "event_id").(string)
		}
	}
	return said, nil
}

// settle lets every user sync until all have seen a message that is sent now by one user of each server: what was before it has come.
func (w *world) settle() error {
	ctx, cancel := w.Within(patience)
	defer cancel()
	var barriers []string
	sent := map[string]bool{}
	for _, user := range w.Users {
		if sent[user.Server.Name] {
			continue
		}
		sent[user.Server.Name] = true
		id, err := user.SendMessage(ctx, w.meeting, "barrier")
		if err != nil {
			return err
		}
		barriers = append(barriers, id)
	}
	for user := range w.Users {
		seen := 0
		for seen < len(barriers) {
			said, err := w.sync(ctx, user, hold)
			if err != nil {
				return err
			}
			for _, event := range list(in(said, "rooms", "join", w.meeting, "timeline", "events")) {
				for _, barrier := range barriers {
					if in(event, "event_id") == barrier {
						seen++
					}
				}
			}
		}
	}
	return nil
}
