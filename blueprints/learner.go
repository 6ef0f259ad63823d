package blueprints

// What a candidate is made to do so that its own events show its format. Nothing here is judged: the checks do that.

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/formats"
	"msc4014/helpers/pseudoid"
)

// learner collects the events of a candidate.
type learner struct {
	world    *World
	version  string        // the room version
	client   *csapi.Client // a user of the candidate's server
	peer     *federation.Peer
	server   string // the name of the candidate's server
	room     string // the ID of a room that client created, "" if that failed
	evidence formats.Evidence
	// invitesElsewhere says to which path the candidate put an invite of a peer's user, if peers do not complete it there.
	invitesElsewhere string
}

// learn collects events until each part of the format is seen, or nothing more can be done.
func (l *learner) learn(ctx context.Context) formats.Learnt {
	if l.room != "" {
		l.syncs(ctx)
	}
	for _, format := range l.learnt().Guesses() {
		format.TemplatesByKey = l.learnt().Format.TemplatesByKey
		if l.learnt().Unseen[formats.Dialect] != "" || format == l.learnt().Format {
			l.joinsPeer(ctx, format)
		}
	}
	if l.room != "" {
		l.invites(ctx)
		l.admits(ctx)
	}
	for _, byEventID := range []bool{false, true} {
		if l.learnt().Unseen[formats.Invites] != "" {
			l.isInvited(ctx, byEventID)
		}
	}
	return l.learnt()
}

func (l *learner) learnt() formats.Learnt { return l.evidence.Learn(l.version) }

// onVersion12 says what shows that a room of a client builds on room version 12, "" if nothing does: then its ID is that of its create
// event, which has no room ID itself (room version 12, room IDs as hashes of the create event). No peer can make such a room, and events
// of a peer that name the create event among auth_events would be refused.
func (w *World) onVersion12(ctx context.Context, client *csapi.Client, roomID string) string {
	ctx, cancel := w.Within(ctx, askTimeout)
	defer cancel()
	state, err := client.State(ctx, roomID)
	if err != nil {
		return ""
	}
	for _, event := range state.JSON().Array() {
		if event.Get("type").String() == "m.room.create" && event.Get("event_id").String() == "$"+strings.TrimPrefix(roomID, "!") {
			return "the room ID is the ID of the create event"
		}
	}
	return ""
}

// syncs lets the client sync in the federation format, in which a server may show events as they are.
func (l *learner) syncs(ctx context.Context) {
	ctx, cancel := l.world.Within(ctx, askTimeout)
	defer cancel()
	answer, err := l.client.Sync(ctx, "", 0, `{"event_format":"federation","room":{"timeline":{"limit":50}}}`)
	if err != nil {
		return
	}
	room := answer.Get("rooms.join").Map()[l.room]
	for _, list := range []string{"state.events", "timeline.events"} {
		for _, event := range room.Get(list).Array() {
			l.evidence.ClientEvent([]byte(event.Raw), "/sync in the federation format")
		}
	}
}

// joinsPeer lets the client join a room of the peer. The join that the candidate sends is its own event, whether or not it accepts the
// answer.
func (l *learner) joinsPeer(ctx context.Context, format pseudoid.Format) {
	ctx, cancel := l.world.Within(ctx, askTimeout)
	defer cancel()
	l.peer.SetFormat(format)
	room, err := l.peer.CreateRoom(format, federation.RoomOptions{Creator: l.peer.User("host")})
	if err != nil {
		return
	}
	sent := make(chan federation.Request, 1)
	defer l.peer.Handle(federation.SendJoin, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
		select {
		case sent <- *request:
		default: // sent again
		}
		return honest()
	})()
	asked := make(chan string, 1)
	defer l.peer.Handle(federation.MakeJoin, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
		if len(request.Parameters) > 1 {
			select {
			case asked <- request.Parameters[1]:
			default: // asked again, by another name if the first was refused
			}
		}
		return honest()
	})()
	_, _ = l.client.JoinRoom(ctx, room.ID(), l.peer.Name())
	select {
	case name := <-asked:
		l.evidence.AsksFor(name)
	default:
	}
	select {
	case request := <-sent:
		l.evidence.Event(request.Body, "its join of a peer's room")
		if len(request.Parameters) > 1 {
			l.evidence.Names(request.Parameters[1])
		}
	default:
	}
}

// invites lets the client invite a user of the peer.
func (l *learner) invites(ctx context.Context) {
	ctx, cancel := l.world.Within(ctx, askTimeout)
	defer cancel()
	l.peer.SetFormat(l.learnt().Format)
	sent := make(chan federation.Request, 10) // more than one: the candidate may try several paths
	defer l.peer.Handle(federation.Any, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
		if request.PutsInvite() {
			select {
			case sent <- *request:
			default: // sent again
			}
		}
		return honest()
	})()
	if err := l.client.Invite(ctx, l.room, l.peer.User("guest").ID()); err == nil {
		// The candidate may answer its client first.
		select {
		case request := <-sent:
			sent <- request
		case <-ctx.Done():
		}
	}
	for {
		select {
		case request := <-sent:
			if l.putsInvite(request) {
				return
			}
		default:
			return
		}
	}
}

// putsInvite notes what an invite of the candidate shows. It reports whether peers complete it at that path.
func (l *learner) putsInvite(request federation.Request) bool {
	const source = "its invite of a peer's user"
	if !request.PutsPartialInvite() {
		l.invitesElsewhere = request.Method + " " + pathWithoutNames(request.URI)
		return false
	}
	l.evidence.Event([]byte(gjson.GetBytes(request.Body, "event").Raw), source)
	l.evidence.InvitePath(strings.HasPrefix(request.Parameters[0], "$"), source)
	l.invitesElsewhere = ""
	return true
}

// pathWithoutNames is the path of a request with a placeholder for each segment that names a room, an event or a user.
func pathWithoutNames(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil || plain == "" {
			continue
		}
		if name, known := map[byte]string{'!': "{roomID}", '$': "{eventID}", '@': "{userID}"}[plain[0]]; known {
			segments[i] = name
		}
	}
	return strings.Join(segments, "/")
}

// admits lets users of the peer join the client's room, whose state is then in the answer.
func (l *learner) admits(ctx context.Context) {
	user := l.peer.User("learner")
	for _, format := range l.learnt().Guesses() {
		l.peer.SetFormat(format)
		trying, cancel := l.world.Within(ctx, askTimeout)
		room, err := l.peer.Join(trying, l.server, l.room, user)
		cancel()
		if err != nil {
			continue
		}
		for _, event := range room.Events() {
			if !l.world.Peers.IsOurs(event.ID()) {
				l.evidence.Event(event.JSON(), "the answer to send_join")
			}
		}
		return
	}
}

// isInvited lets the peer invite the client's user, to the path with the event ID or to that with the room ID.
func (l *learner) isInvited(ctx context.Context, byEventID bool) {
	ctx, cancel := l.world.Within(ctx, askTimeout)
	defer cancel()
	format, host := l.learnt().Format, l.peer.User("host")
	format.InviteByEventID = byEventID
	room, err := l.peer.CreateRoom(format, federation.RoomOptions{Creator: host})
	if err != nil {
		return
	}
	if completed, answer, err := room.Invite(ctx, l.server, host, l.client.UserID); err == nil && answer.OK() && !completed.IsZero() {
		l.evidence.InvitePath(byEventID, "its completion of a peer's invite")
	}
}

// askTimeout bounds each request that is made only to learn from what it leads to (World.Within).
const askTimeout = 10 * time.Second
