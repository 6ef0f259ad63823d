package blueprints

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/formats"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// NewPeer starts a peer for a check, with the event format of the candidate.
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

// CheckOf returns the name of the check for which a peer was started, or "".
func (w *World) CheckOf(peer *federation.Peer) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.owners[peer.Name()]
}

// Learn finds out, by asking the server at a place of a deployment, counted from 0, whether its candidate has pseudo-ID rooms and
// which format they have. A candidate without such rooms is not an error.
func (w *World) Learn(ctx context.Context, made check.Deployment, place int) (Facts, error) {
	deployment := made.(*Deployment)
	version := cmp.Or(w.RoomVersion, pseudoid.RoomVersion)
	facts := Facts{Format: (&formats.Evidence{}).Learn(version).Format}
	server := deployment.Server(place)
	peer, err := w.NewPeer("", nil, facts.Format)
	if err != nil {
		return facts, fmt.Errorf("start a peer for the candidate: %w", err)
	}
	defer peer.Close()
	client, err := deployment.ClientAPI(place).Register(ctx, "learner-"+deployment.id, "learner-password")
	if err != nil {
		return facts, fmt.Errorf("register a user with the candidate: %w", err)
	}
	capabilities, err := client.Capabilities(ctx)
	if err != nil {
		return facts, fmt.Errorf("get the candidate's capabilities: %w", err)
	}
	available := capabilities.Get("capabilities.m\\.room_versions.available").Map()
	facts.Advertised = available[version].Exists()

	facts.Software = software(ctx, peer, server.Name())

	room, err := client.CreateRoom(ctx, map[string]any{"room_version": version, "preset": "public_chat"})
	var refusal *csapi.Error
	switch {
	case err == nil, facts.Advertised, csapi.Unusable(err):
		// It claims that it has the version, or that it created the room: the checks judge that.
		if facts.OnVersion12 = w.onVersion12(ctx, client, room); facts.OnVersion12 != "" {
			facts.Why = "the server's pseudo-ID rooms build on room version 12: " + facts.OnVersion12 + "; the suite's peers have rooms of the " +
				"rules of versions 10 and 11 alone (room-version/identifier)"
			break
		}
		facts.Supported = true
		learner := learner{world: w, version: version, client: client, peer: peer, server: server.Name(), room: room}
		learner.evidence.Server = server.Name()
		learnt := learner.learn(ctx)
		facts.Format, facts.Unseen, facts.Learnt = learnt.Format, learnt.Unseen, learnt.String()
		facts.InvitesElsewhere = learner.invitesElsewhere
	case errors.As(err, &refusal):
		facts.Why = fmt.Sprintf("the server has no room version %s: createRoom answered %d %s, and capabilities do not list it",
			version, refusal.Status, refusal.ErrCode)
		if meant := couldBeMeant(slices.Sorted(maps.Keys(available))); len(meant) > 0 {
			facts.Why += fmt.Sprintf("; they list %s, which could be meant (--room-version)", strings.Join(meant, ", "))
		}
	default:
		return facts, fmt.Errorf("create a pseudo-ID room on the candidate: %w", err)
	}
	if err := w.ensureReachable(ctx, peer, server.Name()); err != nil {
		return facts, err
	}
	w.mu.Lock()
	w.facts[server.Host()] = facts
	w.mu.Unlock()
	return facts, nil
}

// couldBeMeant returns the versions among those that a candidate has whose identifier looks like one of pseudo-ID rooms.
func couldBeMeant(available []string) (versions []string) {
	for _, version := range available {
		name := strings.ToLower(version)
		if strings.Contains(name, "4014") || strings.Contains(name, "1228") || strings.Contains(name, "pseudo") {
			versions = append(versions, version)
		}
	}
	return versions
}

// ensureReachable returns an error if the machine does not let servers connect to peers. A candidate that gets a request of a peer
// connects to it for its keys. If no connection has ever arrived, the suite's own program tries whether one can; if so, the fault
// is the candidate's, which the checks judge.
func (w *World) ensureReachable(ctx context.Context, peer *federation.Peer, server string) error {
	separated, may := w.Runtime.(runtime.Separated)
	if !may || w.Peers.Reached() {
		return nil
	}
	asking, cancel := w.Within(ctx, askTimeout)
	defer cancel()
	// A candidate without pseudo-ID rooms may have received no signed request yet.
	_, _ = peer.Do(asking, server, http.MethodGet, "/_matrix/federation/v1/query/profile?user_id=@nobody:"+url.QueryEscape(server), nil)
	if w.Peers.Reached() {
		return nil
	}
	return separated.TryPeer(ctx, peer.Name())
}

// software returns a server's name and version (server-server API, /version), or "".
func software(ctx context.Context, peer *federation.Peer, server string) string {
	answer, err := peer.Do(ctx, server, http.MethodGet, "/_matrix/federation/v1/version", nil)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(answer.Get("server.name").String() + " " + answer.Get("server.version").String())
}
