package sabotage

// The suite against candidates that do otherwise than the reference where no text forbids it, such as take their time: no check fails.

import (
	"maps"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/faults"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
	"msc4014/runtime/candidate"
)

// lawful are changes of the reference that break nothing, and the verdicts that checks have because of them.
var lawful = []struct {
	does    string
	hunks   []faults.Hunk
	expects map[string]verdict.Verdict
}{
	{
		does: "tries a server that was away again after an hour, whatever it hears of it",
		hunks: []faults.Hunk{{
			File:    "reference/federation/outgoing/queue.go",
			Find:    "return min(shortestBackoff<<min(failures-1, 10), longestBackoff)",
			Replace: "return time.Hour",
		}, {
			File:    "reference/federation/outgoing/queue.go",
			Find:    "if d := c.destinations[server]; d != nil && d.failures > 0 {",
			Replace: "if d := c.destinations[server]; false && d != nil && d.failures > 0 {",
		}},
		expects: map[string]verdict.Verdict{"a server and a peer are cut off from each other": verdict.Inconclusive},
	},
	{
		does: "verifies senders apart from each other: it answers at once, and takes the events of one that cannot be verified ten seconds later",
		hunks: []faults.Hunk{{
			File:    "reference/federation/transactions.go",
			Imports: []string{"strings", "time"},
			Find:    "eventID, err := s.Rooms.Receive(ctx, origin, event)",
			Replace: `sender := gjson.GetBytes(event, "sender_key").String()
if room := s.Rooms.Get(roomID); room != nil && strings.HasPrefix(room.UserID(sender), "@_unverified_") {
	time.AfterFunc(10*time.Second, func() { _, _ = s.Rooms.Receive(s.lifetime, origin, event) })
	continue
}
eventID, err := s.Rooms.Receive(ctx, origin, event)`,
		}},
		expects: map[string]verdict.Verdict{
			"a member who cannot be verified, met by send_join answer":            verdict.Pass,
			"the events of a member whose server closes connections are accepted": verdict.Pass,
		},
	},
	{
		does: "takes no event in a transaction from another server than the sender's",
		hunks: []faults.Hunk{{
			File:    "reference/federation/transactions.go",
			Imports: []string{"strings"},
			Find:    "eventID, err := s.Rooms.Receive(ctx, origin, event)",
			Replace: `sender := gjson.GetBytes(event, "sender_key").String()
if room := s.Rooms.Get(roomID); room != nil && sender != "" {
	user := room.UserID(sender)
	if claimed := gjson.GetBytes(event, "content.mxid_mapping.user_id"); claimed.Exists() && gjson.GetBytes(event, "state_key").String() == sender {
		user = claimed.String()
	}
	if _, server, known := strings.Cut(user, ":"); known && server != origin {
		s.Log.Info("an event of another server was refused", "server", origin, "user", user)
		continue
	}
}
eventID, err := s.Rooms.Receive(ctx, origin, event)`,
		}},
		expects: map[string]verdict.Verdict{
			"a member who cannot be verified, met by state":              verdict.Pass,
			"a member who cannot be verified, met by send_join answer":   verdict.Pass,
			"a member who cannot be verified, met by get_missing_events": verdict.Pass,
			"a room whose creator cannot be verified can be used":        verdict.Pass,
			"the power of a creator who cannot be verified counts":       verdict.Pass,
			"a kick by a moderator who cannot be verified takes effect":  verdict.Pass,
			"an invite by a moderator who cannot be verified is shown":   verdict.Pass,
		},
	},
	{
		does: "lacks endpoints, of ordinary rooms, too",
		hunks: []faults.Hunk{{
			File: "reference/clientapi/relations.go",
			Find: `wantedRelation, wantedType := r.PathValue("relationType"), r.PathValue("type")`,
			Replace: `return nil, rooms.NotFound("there are no relations")
wantedRelation, wantedType := r.PathValue("relationType"), r.PathValue("type")`,
		}, {
			File: "reference/clientapi/events.go",
			Find: "joined := object{}",
			Replace: `return nil, rooms.NotFound("there is no list of members")
joined := object{}`,
		}, {
			File:    "reference/clientapi/directory.go",
			Find:    "return empty{}, a.Rooms.CreateAlias(alias, body.RoomID, r.UserID)",
			Replace: `return nil, rooms.Forbidden("only administrators give rooms aliases")`,
		}, {
			File: "reference/clientapi/profiles.go",
			Find: "if err := a.Users.SetProfileField(userID, field, value); err != nil {",
			Replace: `if field == "avatar_url" && value != nil {
	return rooms.Forbidden("only administrators change avatars")
}
if err := a.Users.SetProfileField(userID, field, value); err != nil {`,
		}, {
			File:    "reference/clientapi/filter.go",
			Find:    `if f.EventFormat != "" && f.EventFormat != "client" && f.EventFormat != "federation" {`,
			Replace: `if f.EventFormat != "" && f.EventFormat != "client" {`,
		}},
		expects: map[string]verdict.Verdict{
			"/relations shows senders by user ID":                          verdict.Unsupported,
			"a user joins by a local alias":                                verdict.Unsupported,
			"a new avatar reaches local members":                           verdict.Unsupported,
			"/relations shows sender keys":                                 verdict.Unsupported,
			"/joined_members is keyed by user ID":                          verdict.Unsupported,
			"a /sync with event_format federation shows sender keys":       verdict.Unsupported,
			"the member event of a local user who left is read by user ID": verdict.Pass,
			"a local user joins a room":                                    verdict.Pass,
			"a member without power does not kick a local user":            verdict.Pass,
			"a remote user redacts the member event of a local one":        verdict.Unsupported, // it has an avatar
			"a new display name reaches local members":                     verdict.Pass,
		},
	},
	{
		does: "refuses what is of rooms of other servers, of ordinary rooms, too",
		hunks: []faults.Hunk{{
			File:    "reference/clientapi/events.go",
			Imports: []string{"strings"},
			Find:    "events, ok := room.StateFor(r.UserID)",
			Replace: `if !strings.HasSuffix(room.ID(), ":"+a.Server) {
	return nil, rooms.Forbidden("the state of rooms of other servers is for administrators")
}
events, ok := room.StateFor(r.UserID)`,
		}, {
			File: "reference/rooms/alias.go",
			Find: "answer, err := rs.Remote.Directory(ctx, domain, alias)",
			Replace: `return "", nil, NotFound("aliases of other servers are not looked up")
answer, err := rs.Remote.Directory(ctx, domain, alias)`,
		}, {
			File: "reference/clientapi/directory.go",
			Find: "answer, err := a.Remote.PublicRooms(r.Context(), server, marshal(q))",
			Replace: `return nil, rooms.Forbidden("only administrators look at other servers")
answer, err := a.Remote.PublicRooms(r.Context(), server, marshal(q))`,
		}},
		expects: map[string]verdict.Verdict{
			"/state shows the creator by user ID":                                                     verdict.Pass,
			"a user joins a room of a peer by its alias, and finds it in the peer's public room list": verdict.Unsupported,
			"a user joins by an alias of a peer":                                                      verdict.Unsupported,
		},
	},
	{
		does: "leaves names to administrators, in ordinary rooms as well",
		hunks: []faults.Hunk{{
			File: "reference/clientapi/profiles.go",
			Find: "if err := a.Users.SetProfileField(userID, field, value); err != nil {",
			Replace: `if field == "displayname" && value != nil {
	return rooms.Forbidden("only administrators change names")
}
if err := a.Users.SetProfileField(userID, field, value); err != nil {`,
		}},
		expects: map[string]verdict.Verdict{"a profile change carries the mapping": verdict.Unsupported},
	},
	{
		does: "lets no client redact member events, in ordinary rooms either",
		hunks: []faults.Hunk{{
			File: "reference/clientapi/events.go",
			Find: `return a.once(r, "redact "+target, rooms.Write{Type: "m.room.redaction", Content: content, Redacts: target})`,
			Replace: `if room := a.Rooms.Get(r.PathValue("roomID")); room != nil {
	if event := room.Event(target); event != nil && event.Type() == "m.room.member" {
		return nil, rooms.Forbidden("member events are not redacted")
	}
}
return a.once(r, "redact "+target, rooms.Write{Type: "m.room.redaction", Content: content, Redacts: target})`,
		}},
		expects: map[string]verdict.Verdict{
			"a user redacts its own member event":                                          verdict.Pass,
			"a moderator redacts every member event of a local user":                       verdict.Pass,
			"a moderator redacts every member event of a remote user":                      verdict.Pass,
			"a moderator redacts a member event, the redaction, and the event again":       verdict.Pass,
			"a member whose event was redacted stays a member":                             verdict.Unsupported,
			"a local member whose event was redacted is kicked":                            verdict.Unsupported,
			"a member whose event was redacted still shows by user ID":                     verdict.Unsupported,
			"the redaction algorithm knows no mapping":                                     verdict.Unsupported,
			"members of two servers redact each other's member events":                     verdict.Unsupported,
			"the member event of a local member whose join is redacted is read by user ID": verdict.Unsupported,
		},
	},
	{
		does: "puts invites to another path",
		hunks: []faults.Hunk{{
			File:    "reference/pseudonym/invite.go",
			Find:    `return "/_matrix/federation/v3/invite/" + url.PathEscape(first) + "/" + url.PathEscape(userID), nil`,
			Replace: `return "/_matrix/federation/unstable/org.matrix.msc4014/invite/" + url.PathEscape(first) + "/" + url.PathEscape(userID), nil`,
		}},
		expects: map[string]verdict.Verdict{
			"where partial invites are put":                                verdict.Pass,
			"an invite is sent without a key of the invited user":          verdict.Unsupported,
			"an invite brings the inviter's join along":                    verdict.Unsupported,
			"an invite reaches the invited user's server":                  verdict.Unsupported,
			"a user of a peer is invited":                                  verdict.Unsupported,
			"a member without power does not invite a user of a peer":      verdict.Unsupported,
			"a local user is invited":                                      verdict.Pass,
			"the member event of a local user who left is read by user ID": verdict.Pass,
		},
	},
}

func TestWhatNoTextForbidsIsNoFail(t *testing.T) {
	t.Parallel()
	if goruntime.GOOS != "linux" {
		t.Skip("the process runtime needs Linux")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	for _, change := range lawful {
		t.Run(change.does, func(t *testing.T) {
			overlay, err := faults.Apply(root, []faults.Fault{{ID: "lawful", Hunks: change.hunks}})
			require.NoError(t, err)
			changed, err := candidate.Parse(root, healthyCandidate)
			require.NoError(t, err)
			changed.Overlay = overlay
			artifact, err := candidate.Prepare(t.Context(), root, changed, "process", func(line string) { t.Log(line) })
			require.NoError(t, err)
			assertVerdicts(t, change.expects, artifact)
		})
	}
}

// assertVerdicts judges the checks that a verdict is expected of.
func assertVerdicts(t *testing.T, expects map[string]verdict.Verdict, artifact runtime.Artifact) {
	t.Helper()
	names := slices.Sorted(maps.Keys(expects))
	got := judgePart(t, artifact, "process", exactly(names))
	for _, name := range names {
		assert.Equal(t, expects[name], got[name].Verdict, "%s: %s", name, got[name].Reason)
	}
}

// exactly returns a pattern that matches these names.
func exactly(names []string) string {
	var quoted []string
	for _, name := range names {
		quoted = append(quoted, regexp.QuoteMeta(name))
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}
