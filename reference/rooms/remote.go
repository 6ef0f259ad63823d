package rooms

// This file declares what the rooms need from other servers. The client and the queues of reference/federation/outgoing
// implement it.

import (
	"context"
	"encoding/json"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/store"
)

// Remote sends requests and events to other servers.
type Remote interface {
	MakeJoin(ctx context.Context, server, roomID, userID string, versions []string) (outgoing.Template, error)
	SendJoin(ctx context.Context, server, roomID, eventID string, event []byte) (outgoing.SendJoinAnswer, error)
	MakeLeave(ctx context.Context, server, roomID, userID string) (outgoing.Template, error)
	SendLeave(ctx context.Context, server, roomID, eventID string, event []byte) error
	MakeKnock(ctx context.Context, server, roomID, userID string, versions []string) (outgoing.Template, error)
	SendKnock(ctx context.Context, server, roomID, eventID string, event []byte) ([]json.RawMessage, error)
	Invite(ctx context.Context, server, roomID, eventID string, invite outgoing.Invite) (json.RawMessage, error)
	InvitePartial(ctx context.Context, server, path string, invite outgoing.Invite) (json.RawMessage, error)

	MissingEvents(ctx context.Context, server, roomID string, earliest, latest []string, limit int, minDepth int64) ([]json.RawMessage, error)
	State(ctx context.Context, server, roomID, eventID string) (outgoing.State, error)
	EventAuth(ctx context.Context, server, roomID, eventID string) ([]json.RawMessage, error)
	Backfill(ctx context.Context, server, roomID string, from []string, limit int) ([]json.RawMessage, error)

	Directory(ctx context.Context, server, alias string) (outgoing.Alias, error)
	Hierarchy(ctx context.Context, server, roomID string, suggestedOnly bool) (outgoing.Hierarchy, error)

	// SendEvent queues an event, within the transaction that stores it.
	SendEvent(tx *store.Tx, event []byte, servers []string)
}
