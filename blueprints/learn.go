package blueprints

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// NewPeer makes a peer for a check. Its format is how the candidate spells events.
func (w *World) NewPeer(ofCheck string, sink transcript.Sink, format pseudoid.Format) (*federation.Peer, error) {
	peer, err := w.Peers.NewPeer(sink, format)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owners[peer.Name()] = ofCheck
	return peer, nil
}

// CheckOf is the check that a peer was made for, "" if for none.
func (w *World) CheckOf(peer *federation.Peer) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owners[peer.Name()]
}

// Learn finds out what the candidate at a place of a deployment that New made, counted from 0, is by asking it, never by
// its name: whether it makes pseudo-ID rooms, and how it spells their events. A candidate without such rooms is no error.
func (w *World) Learn(ctx context.Context, made check.Deployment, place int) (Facts, error) {
	deployment := made.(*Deployment)
	facts := Facts{Format: pseudoid.FormatDendrite, Assumed: true}
	server := deployment.Server(place)
	peer, err := w.NewPeer("", nil, pseudoid.FormatDendrite)
	if err != nil {
		return facts, fmt.Errorf("the first peer of the candidate: %w", err)
	}
	defer peer.Close()
	client, err := deployment.ClientAPI(place).Register(ctx, "learner-"+deployment.id, "learner-password")
	if err != nil {
		return facts, fmt.Errorf("the first user of the candidate: %w", err)
	}
	capabilities, err := client.Capabilities(ctx)
	if err != nil {
		return facts, fmt.Errorf("the candidate's capabilities: %w", err)
	}
	facts.Advertised = capabilities.Get("capabilities.m\\.room_versions.available").Map()[pseudoid.RoomVersion].Exists()

	facts.Software = software(ctx, peer, server.Name())

	room, err := client.CreateRoom(ctx, map[string]any{"room_version": pseudoid.RoomVersion, "preset": "public_chat"})
	var refusal *csapi.Error
	switch {
	case err == nil:
		facts.Supported = true
		facts.Format, err = learnFormat(ctx, peer, server.Name(), room)
		facts.Assumed = err != nil
	case facts.Advertised, csapi.Unusable(err):
		// It says that it has the version, or that it made the room: that it makes no such room is for the checks to judge.
		facts.Supported = true
	case errors.As(err, &refusal):
		facts.Why = fmt.Sprintf("the server has no room version %s: createRoom answered %d %s, and capabilities do not list it",
			pseudoid.RoomVersion, refusal.Status, refusal.ErrCode)
	default:
		return facts, fmt.Errorf("the candidate's first pseudo-ID room: %w", err)
	}
	if err := w.ensureReachable(ctx, peer, server.Name()); err != nil {
		return facts, err
	}
	w.mu.Lock()
	w.facts[server.Host()] = facts
	w.mu.Unlock()
	return facts, nil
}

// ensureReachable returns an error if servers cannot connect to peers for want of the machine. A candidate that was asked
// something by a peer connects to it, for its keys. If no connection ever arrived, the suite's own program finds out whether
// one can; if so, that none did is the candidate's fault, and for the checks to judge.
func (w *World) ensureReachable(ctx context.Context, peer *federation.Peer, server string) error {
	separated, may := w.Runtime.(runtime.Separated)
	if !may || w.Peers.Reached() {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// Of one that makes no pseudo-ID rooms nothing was asked yet that a peer's signature is needed for.
	_, _ = peer.Do(asking, server, http.MethodGet, "/_matrix/federation/v1/query/profile?user_id=@nobody:"+url.QueryEscape(server), nil)
	if w.Peers.Reached() {
		return nil
	}
	return separated.TryPeer(ctx, peer.Name())
}

// askTimeout bounds a request that only serves to make the candidate connect to a peer.
const askTimeout = 10 * time.Second

// software is what a server says that it is (server-server API, /version), "" if it does not say.
func software(ctx context.Context, peer *federation.Peer, server string) string {
	answer, err := peer.Do(ctx, server, http.MethodGet, "/_matrix/federation/v1/version", nil)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(answer.Get("server.name").String() + " " + answer.Get("server.version").String())
}

// learnFormat learns the spelling of events from the candidate's own: a peer joins a room and looks at them. A server
// that lets no peer join is taken to speak the dialect of its join template; without one, which is an error, the deployed
// dialect.
func learnFormat(ctx context.Context, peer *federation.Peer, server, roomID string) (pseudoid.Format, error) {
	format := pseudoid.FormatDendrite
	user := peer.User("learner")
	template, err := peer.MakeJoin(ctx, server, roomID, user.ID())
	if err != nil {
		return format, err
	}
	if template.Get("event." + pseudoid.DialectMSC4014.SenderField()).Exists() {
		format = pseudoid.FormatMSC4014
	}
	peer.SetFormat(format)
	room, err := peer.Join(ctx, server, roomID, user)
	if err != nil && format == pseudoid.FormatMSC4014 {
		// The signature is over the redacted join, which keeps the sender key or not: a server takes one of the two.
		peer.SetFormat(pseudoid.FormatMSC4014Letter)
		room, err = peer.Join(ctx, server, roomID, user)
	}
	if err != nil {
		return format, nil
	}
	create, known := room.StateEvent("m.room.create", "")
	if !known {
		return format, nil
	}
	if dialect, err := pseudoid.DetectDialect(create.JSON()); err == nil && dialect == pseudoid.DialectDendrite {
		return pseudoid.FormatDendrite, nil
	}
	return learnRedaction(room, create), nil
}

// learnRedaction learns whether a redacted event keeps its sender key (redaction/sender-key-kept): later events name
// the create event by an ID, and only one reading gives that ID.
func learnRedaction(room *federation.Room, create federation.Event) pseudoid.Format {
	named := map[string]bool{}
	for _, event := range room.Events() {
		for _, id := range append(event.AuthEvents(), event.PrevEvents()...) {
			named[id] = true
		}
	}
	for _, format := range []pseudoid.Format{pseudoid.FormatMSC4014, pseudoid.FormatMSC4014Letter} {
		if id, err := pseudoid.EventID(create.JSON(), format); err == nil && named[id] {
			return format
		}
	}
	return pseudoid.FormatMSC4014
}
