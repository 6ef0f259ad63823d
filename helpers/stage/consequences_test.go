package stage_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/blueprints/fake"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
	"msc4014/runtime/authority"
)

// fakeCandidate is a candidate of one server with scripted answers: home to clients, server to peers.
type fakeCandidate struct {
	world  *blueprints.World
	home   *fake.Homeserver
	server *federation.Peer
}

func newFakeCandidate(t *testing.T) *fakeCandidate {
	t.Helper()
	issuer, err := authority.New(t.TempDir())
	require.NoError(t, err)
	base := &fake.Runtime{}
	theirs := federation.New(federation.Options{NewPeer: base.NewPeer, Issue: issuer.Issue, RootCAs: issuer.Pool()})
	t.Cleanup(func() { assert.NoError(t, theirs.Close()) })
	server, err := theirs.NewPeer(nil)
	require.NoError(t, err)
	home := fake.NewHomeserver(server.Name())
	t.Cleanup(home.Close)
	base.OnStart = func(context.Context, runtime.ServerOptions) (runtime.Server, error) {
		return &fake.Server{ServerName: server.Name(), Place: "hs1", URL: home.URL, Federation: server.Name()}, nil
	}
	world := blueprints.NewWorld(base, issuer, nil)
	t.Cleanup(func() { assert.NoError(t, world.Close(context.Background())) })

	room, err := server.CreateRoom(pseudoid.FormatDendrite, federation.RoomOptions{Creator: server.User("creator")})
	require.NoError(t, err)
	first, err := world.New(t.Context(), blueprints.OneServer.Name)
	require.NoError(t, err)
	home.Answer("POST", "/createRoom", 200, `{"room_id":"`+room.ID()+`"}`)
	facts, err := world.Learn(t.Context(), first, 0)
	require.NoError(t, err)
	require.Equal(t, pseudoid.FormatDendrite, facts.Format)
	home.Answer("POST", "/createRoom", -1, "")
	return &fakeCandidate{world, home, server}
}

// judge runs a check on the candidate and returns its result.
func (f *fakeCandidate) judge(t *testing.T, body func(s *stage.Stage)) verdict.CheckResult {
	t.Helper()
	return f.judgeOn(t, nil, body)
}

// judgeOn is judge on a machine of this slowness; nil means that it is measured.
func (f *fakeCandidate) judgeOn(t *testing.T, slowness func() float64, body func(s *stage.Stage)) verdict.CheckResult {
	t.Helper()
	var mu sync.Mutex
	var final verdict.CheckResult
	runner := check.New(check.Options{
		Deployments: f.world, Limit: 20 * time.Second, Slowness: slowness,
		Checks: []*check.Check{{Name: "a check", Requires: []string{"mapping/x"}, Body: func(c *check.C) { body(stage.Open(c, blueprints.OneServer)) }}},
		Emit: func(event verdict.Event) {
			if event.Kind == verdict.KindCheckFinal {
				mu.Lock()
				defer mu.Unlock()
				final = *event.Result
			}
		},
	})
	require.NoError(t, runner.Run(t.Context()))
	runner.Wait()
	mu.Lock()
	defer mu.Unlock()
	return final
}

const (
	testRoom = "!room:hs1"
	claimed  = "@bob:victim"
	forger   = "@mallory:forger"
	message  = `{"type":"m.room.message","event_id":"%s","sender":"%s","content":{}}`
	member   = `{"type":"m.room.member","event_id":"%s","sender":"@alice:hs1","state_key":"%s","content":{"membership":"join"}}`
)

// views has, by a part of the path of each view, the format of an answer with a list of events.
var views = map[string]struct{ name, shape string }{
	"/sync":     {"/sync", `{"next_batch":"s1","rooms":{"join":{"!room:hs1":{"timeline":{"events":[%s]}}}}}`},
	"/messages": {"/messages", `{"chunk":[%s]}`},
	"/members":  {"/members", `{"chunk":[%s]}`},
	"/state":    {"/state", `[%s]`},
}

// shows lets every view show the valid events of the room, and one view (by a part of its path) these events as well.
func (f *fakeCandidate) shows(part string, events ...string) {
	valid := []string{fmt.Sprintf(member, "$alice", "@alice:hs1"), fmt.Sprintf(message, "$said", "@alice:hs1")}
	for each, view := range views {
		list := valid
		if each == part {
			list = append(list[:2:2], events...)
		}
		f.home.Answer("GET", each, 200, fmt.Sprintf(view.shape, strings.Join(list, ",")))
	}
	joined := `{"joined":{"@alice:hs1":{}`
	if part == "/joined_members" {
		for _, userID := range events {
			joined += `,"` + userID + `":{}`
		}
	}
	f.home.Answer("GET", "/joined_members", 200, joined+"}}")
	f.home.Answer("GET", "/event/", 404, `{"errcode":"M_NOT_FOUND"}`)
}

// restores lets the homeserver answer as usual, for the runner's health checks.
func (f *fakeCandidate) restores() { f.home.Answer("GET", "/sync", -1, "") }

// forgedJoin builds a join of a peer's user that claims another user ID.
func forgedJoin(s *stage.Stage) (*stage.Room, federation.Event) {
	peer := s.Peer()
	room := peer.Makes(federation.RoomOptions{Creator: peer.User("mallory")})
	forged, err := room.MemberTemplate(peer.User("forger"), "join").Claiming(claimed).Build()
	if err != nil {
		s.C.SuiteError(err)
	}
	return room, forged
}

func TestViews(t *testing.T) {
	f := newFakeCandidate(t)
	result := f.judge(t, func(s *stage.Stage) {
		alice := s.User("alice")
		defer f.restores()
		f.shows("/joined_members", claimed)
		var names []string
		for _, view := range alice.Views(testRoom) {
			names = append(names, view.Name)
			shown := map[bool]string{true: "as a member"}[view.Name == "/joined_members"]
			assert.Equal(s.C, shown, view.Shows(claimed), view.Name)
			assert.Equal(s.C, view.Name != "/joined_members", view.Has("$said"), view.Name)
			assert.False(s.C, view.Has("$other"))
		}
		assert.Equal(s.C, []string{"/sync", "/messages", "/members", "/state", "/joined_members"}, names)

		assert.True(s.C, alice.SomeView(testRoom, func(view stage.View) bool { return view.Name == "/messages" }))
		assert.False(s.C, alice.SomeView(testRoom, func(view stage.View) bool { return view.Has("$other") }))
	})
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)

	result = f.judge(t, func(s *stage.Stage) {
		alice := s.User("alice")
		f.home.Answer("GET", "/messages", 0, "")
		defer f.home.Answer("GET", "/messages", -1, "")
		alice.Views(testRoom)
	})
	assert.Equal(t, verdict.Blocked, result.Verdict, "a view without an answer does not prove that the event is not shown")
	assert.Equal(t, "resilience/stays-up", result.BlockedBy)

	for _, part := range []string{"/messages", "/event/", "/context/"} {
		result = f.judge(t, func(s *stage.Stage) {
			alice := s.User("alice")
			f.shows("")
			defer f.restores()
			f.home.Answer("GET", part, 200, strings.Repeat("[", 1<<20))
			defer f.home.Answer("GET", part, -1, "")
			alice.Views(testRoom)
			alice.LooksCloser(testRoom, "$said")
		})
		assert.Equal(t, verdict.Blocked, result.Verdict, "a view that cannot be read is not a view without the forged: %s", part)
		assert.Equal(t, "client-view/unmodified-client", result.BlockedBy)
		assert.Contains(t, result.Reason, "answered 200: the body nests deeper than")
	}
}

// What was seen before must be seen after: a view that is refused proves nothing of what it would show.
func TestRefusedViews(t *testing.T) {
	f := newFakeCandidate(t)
	f.home.Answer("POST", "/createRoom", 200, `{"room_id":"!own:hs1"}`)
	defer f.home.Answer("POST", "/createRoom", -1, "")
	refusing := func(part string, status int, before, after func(alice *stage.User)) verdict.CheckResult {
		return f.judge(t, func(s *stage.Stage) {
			alice := s.User("alice")
			f.shows("")
			defer f.restores()
			before(alice)
			f.home.Answer("GET", part, status, `{"errcode":"M_UNKNOWN"}`)
			defer f.home.Answer("GET", part, -1, "")
			after(alice)
		})
	}
	nothing := func(*stage.User) {}
	views := func(alice *stage.User) { alice.Views(testRoom) }
	control := func(alice *stage.User) { alice.SomeView(testRoom, func(stage.View) bool { return true }) }
	shared := func(alice *stage.User) { // the control of another check
		control(alice)
		given := alice.Given()
		assert.Len(t, given, 5)
		alice.Recalls(map[string]bool{"/messages": false, "/members": false, "/state": false, "/joined_members": false})
		alice.Recalls(given)
	}
	for _, part := range []string{"/messages", "/members", "/state", "/joined_members"} {
		for _, before := range []func(*stage.User){views, control, shared} {
			for _, status := range []int{403, 500} {
				result := refusing(part, status, before, views)
				assert.Equal(t, verdict.Fail, result.Verdict, "%s answered %d", part, status)
				assert.Contains(t, result.Reason, part+" is refused, which clients were given before")
			}
		}
	}
	result := refusing("/members", 500, views, func(alice *stage.User) { alice.Blaming("other/requirement").Views(testRoom) })
	assert.Equal(t, verdict.Blocked, result.Verdict)
	assert.Equal(t, "other/requirement", result.BlockedBy)

	result = refusing("/members", 403, nothing, func(alice *stage.User) {
		control(alice)
		assert.Len(t, alice.Views(testRoom), 4)
	})
	assert.Equal(t, verdict.Pass, result.Verdict, "it was refused before: %s", result.Reason)
	assert.Contains(t, strings.Join(result.Details, "\n"), "/members was refused")

	result = refusing("/members", 500, nothing, views)
	assert.Equal(t, verdict.Pass, result.Verdict, "it was not asked for before, and nobody is given it: %s", result.Reason)
	result = refusing(testRoom+"/members", 500, nothing, func(alice *stage.User) {
		f.home.Answer("GET", "/members", 200, `{"chunk":[]}`) // of other rooms: the first answer that fits is given
		alice.Views(testRoom)
	})
	assert.Equal(t, verdict.Fail, result.Verdict, "it was not asked for before, and another user is given it in another room")

	result = refusing(testRoom+"/members", 500, func(alice *stage.User) { alice.Recalls(map[string]bool{"/members": false}) }, func(alice *stage.User) {
		f.home.Answer("GET", "/members", 200, `{"chunk":[]}`)
		alice.Views(testRoom)
	})
	assert.Equal(t, verdict.Pass, result.Verdict, "it was refused for the control of another check: %s", result.Reason)

	result = refusing("/event/", 404, func(alice *stage.User) {
		f.home.Answer("GET", "/event/", 200, fmt.Sprintf(message, "$said", "@alice:hs1"))
		f.home.Answer("GET", "/context/", 200, `{}`)
		assert.Len(t, alice.LooksCloserBefore(testRoom, "$said"), 2)
	}, func(alice *stage.User) {
		views, lost := alice.LooksCloser(testRoom, "$said")
		assert.Len(t, views, 1)
		assert.Len(t, lost, 1)
		assert.Len(t, alice.Browses(testRoom), 5)
	})
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)
}

func TestNotHonoured(t *testing.T) {
	f := newFakeCandidate(t)
	honoured := func(control bool, part string, events func(forged federation.Event) []string) verdict.CheckResult {
		return f.judge(t, func(s *stage.Stage) {
			alice := s.User("alice")
			_, forged := forgedJoin(s)
			f.shows(part, events(forged)...)
			defer f.restores()
			if control {
				s.C.Control(nil)
			}
			alice.NotHonoured(testRoom, forged, claimed)
		})
	}
	nothing := func(federation.Event) []string { return nil }
	result := honoured(true, "", nothing)
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)
	assert.Contains(t, result.Details, "the event is in no client view")
	assert.Equal(t, verdict.Error, honoured(false, "", nothing).Verdict, "without a control")

	for part := range views {
		shows := map[string]func(federation.Event) []string{
			"as the sender": func(forged federation.Event) []string { return []string{fmt.Sprintf(message, forged.ID(), claimed)} },
			"state key":     func(forged federation.Event) []string { return []string{fmt.Sprintf(member, forged.ID(), claimed)} },
			"raw key": func(forged federation.Event) []string {
				return []string{fmt.Sprintf(message, forged.ID(), forged.Sender())}
			},
		}
		for said, events := range shows {
			result := honoured(true, part, events)
			assert.Equal(t, verdict.Fail, result.Verdict, "%s %s", part, said)
			assert.Contains(t, result.Reason, views[part].name)
			assert.Contains(t, result.Reason, said)
		}
		result := honoured(true, part, func(forged federation.Event) []string { return []string{fmt.Sprintf(message, forged.ID(), forger)} })
		assert.Equal(t, verdict.Pass, result.Verdict, "the event may be shown, under another name: %s", result.Reason)
		assert.Contains(t, result.Details, "the event is shown, sent by "+forger)
	}
	assert.Equal(t, verdict.Fail, honoured(true, "/joined_members", func(federation.Event) []string { return []string{claimed} }).Verdict)
	assert.Equal(t, verdict.Fail, honoured(true, "/joined_members", func(forged federation.Event) []string { return []string{forged.Sender()} }).Verdict)
}

func TestOnlyPlaceholders(t *testing.T) {
	f := newFakeCandidate(t)
	shown := func(userID func(s *stage.Stage, key string) string) verdict.CheckResult {
		return f.judge(t, func(s *stage.Stage) {
			room, forged := forgedJoin(s)
			views := []stage.View{
				{Name: "/members", Events: gjson.Parse(`[` + fmt.Sprintf(member, "$1", "@alice:hs1") + `]`).Array()},
				{Name: "/joined_members", Keys: []string{"@alice:hs1", userID(s, forged.Sender())}},
			}
			s.C.Control(nil)
			s.OnlyPlaceholders(views, room, []federation.Event{forged}, []string{"@alice:hs1"})
		})
	}
	for what, userID := range map[string]func(s *stage.Stage, key string) string{
		"an honest user":                 func(*stage.Stage, string) string { return "@alice:hs1" },
		"a placeholder":                  func(s *stage.Stage, _ string) string { return "@nobody:" + s.ServerName(1) },
		"a placeholder with more colons": func(s *stage.Stage, _ string) string { return "@_unverified_bob_b:8448:" + s.ServerName(1) },
	} {
		result := shown(userID)
		assert.Equal(t, verdict.Pass, result.Verdict, "%s: %s", what, result.Reason)
	}
	for why, userID := range map[string]func(s *stage.Stage, key string) string{
		"is of another domain":        func(*stage.Stage, string) string { return "@nobody:forger" },
		"the account of another user": func(s *stage.Stage, _ string) string { return s.User("zoe").UserID },
		"has a sender key in it":      func(s *stage.Stage, key string) string { return "@" + key + ":" + s.ServerName(1) },
		"does not begin with '@'":     func(_ *stage.Stage, key string) string { return key },
		"its localpart is empty":      func(s *stage.Stage, _ string) string { return "@:" + s.ServerName(1) },
	} {
		result := shown(userID)
		assert.Equal(t, verdict.Fail, result.Verdict, why)
		assert.Contains(t, result.Reason, why)
	}
}

func TestRefused(t *testing.T) {
	f := newFakeCandidate(t)
	refused := func(control bool, show func(forged federation.Event)) verdict.CheckResult {
		return f.judge(t, func(s *stage.Stage) {
			alice := s.User("alice")
			_, forged := forgedJoin(s)
			f.shows("")
			defer f.restores()
			show(forged)
			if control {
				s.C.Control(nil)
			}
			alice.Refused(testRoom, forged)
		})
	}
	nowhere := func(federation.Event) {}
	result := refused(true, nowhere)
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)
	assert.Equal(t, verdict.Error, refused(false, nowhere).Verdict, "without a control")
	for part := range views {
		result := refused(true, func(forged federation.Event) { f.shows(part, fmt.Sprintf(message, forged.ID(), forger)) })
		assert.Equal(t, verdict.Fail, result.Verdict, part)
		assert.Contains(t, result.Reason, "must be refused and is in "+views[part].name)
	}
	result = refused(true, func(forged federation.Event) {
		f.home.Answer("GET", "/event/", 200, fmt.Sprintf(message, forged.ID(), forger))
	})
	assert.Equal(t, verdict.Fail, result.Verdict)
	assert.Contains(t, result.Reason, "GET /event serves")
}

func TestNotServed(t *testing.T) {
	f := newFakeCandidate(t)
	unsigned, endpoint := true, federation.GetEvent
	served := func(control bool, known bool, answer func(forged federation.Event) federation.Answer) verdict.CheckResult {
		return f.judge(t, func(s *stage.Stage) {
			room, forged := forgedJoin(s)
			if unsigned {
				forged = room.Made(room.MemberTemplate(room.Peer().User("forger"), "join").SignedBy())
			}
			remove := f.server.Handle(endpoint, func(*federation.Request, func() federation.Answer) federation.Answer { return answer(forged) })
			defer remove()
			if known {
				room.Apply(forged) // as if it were in the answer to its join
			}
			if control {
				s.C.Control(nil)
			}
			room.NotServed(forged)
		})
	}
	unknown := func(federation.Event) federation.Answer {
		return federation.Refusal(http.StatusNotFound, "M_NOT_FOUND", "no such event")
	}
	holding := func(forged federation.Event) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"pdus": []any{forged}})
	}
	result := served(true, false, unknown)
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)
	assert.Equal(t, verdict.Error, served(false, false, unknown).Verdict, "without a control")
	result = served(true, false, holding)
	assert.Equal(t, verdict.Fail, result.Verdict)
	assert.Contains(t, result.Reason, "GET /event serves peers")
	for _, endpoint = range []federation.Endpoint{federation.Backfill, federation.GetMissingEvents} {
		result = served(true, false, func(forged federation.Event) federation.Answer {
			return federation.JSON(http.StatusOK, map[string]any{"pdus": []any{forged}, "events": []any{forged}})
		})
		assert.Equal(t, verdict.Fail, result.Verdict, endpoint)
		assert.Contains(t, result.Reason, "serves peers the event")
	}
	unsigned, endpoint = false, federation.GetEvent
	result = served(true, false, holding)
	assert.Equal(t, verdict.Pass, result.Verdict, "what authorisation alone rejects may be had by ID: %s", result.Reason)
	assert.Contains(t, strings.Join(result.Details, "\n"), "GET /event serves peers the event")
	result = served(true, true, unknown)
	assert.Equal(t, verdict.Fail, result.Verdict)
	assert.Contains(t, result.Reason, "joined later")
	result = served(true, false, func(federation.Event) federation.Answer {
		return federation.Refusal(http.StatusBadGateway, "M_UNKNOWN", "down")
	})
	assert.Equal(t, verdict.Blocked, result.Verdict, "an unclear answer is not a refusal")
}

// What the server's own events stand on is looked at in what it sends, and in what it made a template of.
func TestNotReferredTo(t *testing.T) {
	f := newFakeCandidate(t)
	referring := func(field string, joins, sends bool) verdict.CheckResult {
		return f.judge(t, func(s *stage.Stage) {
			room, forged := forgedJoin(s)
			alter := func(template federation.Template, wanted bool) federation.Template {
				if !wanted {
					return template
				}
				return template.Alter(federation.SetField(field, []string{forged.ID()}))
			}
			joiner := room.Peer().User("joiner")
			room.Applies(alter(room.MemberTemplate(joiner, "join"), joins))
			template, err := room.Template(federation.TextMessage(joiner, "said"))
			require.NoError(s.C, err)
			said := room.Made(alter(template, sends))
			ctx, cancel := s.C.Within(stage.Patience)
			defer cancel()
			_, err = f.server.SendTransaction(ctx, room.Peer().Name(), []federation.Event{said}, nil)
			require.NoError(s.C, err)
			f.home.Answer("PUT", "/send/m.room.message", 200, `{"event_id":"`+said.ID()+`"}`)
			defer f.home.Answer("PUT", "/send/m.room.message", -1, "")
			s.C.Control(nil)
			room.NotReferredTo(forged, s.User("alice"))
		})
	}
	result := referring("", false, false)
	assert.Equal(t, verdict.Pass, result.Verdict, result.Reason)
	for _, field := range []string{"prev_events", "auth_events"} {
		for eventType, result := range map[string]verdict.CheckResult{
			"m.room.member": referring(field, true, false), "m.room.message": referring(field, false, true),
		} {
			assert.Equal(t, verdict.Fail, result.Verdict, "%s %s", field, eventType)
			assert.Contains(t, result.Reason, "is among the "+field+" of an event of type "+eventType)
		}
	}
	result = f.judge(t, func(s *stage.Stage) {
		room, forged := forgedJoin(s)
		f.home.Answer("PUT", "/send/m.room.message", 403, `{"errcode":"M_FORBIDDEN"}`)
		defer f.home.Answer("PUT", "/send/m.room.message", -1, "")
		s.C.Control(nil)
		s.C.UnderTest()
		room.NotReferredTo(forged, s.User("alice"))
	})
	assert.Equal(t, verdict.Fail, result.Verdict, "no event of the server's can be had after the lie")
}

func TestOnlyLookedUp(t *testing.T) {
	f := newFakeCandidate(t)
	asked := func(control bool, method, uri, body string) verdict.CheckResult {
		return f.judge(t, func(s *stage.Stage) {
			victim := s.Peer()
			ctx, cancel := victim.Within()
			defer cancel()
			var content []byte
			if body != "" {
				content = []byte(body)
			}
			if _, err := f.server.Do(ctx, victim.Name(), method, uri, content); err != nil {
				s.C.SuiteError(err)
			}
			if control {
				s.C.Control(nil)
			}
			victim.OnlyLookedUp(testRoom, claimed)
		})
	}
	assert.Equal(t, verdict.Error, asked(false, "GET", "/_matrix/key/v2/server", "").Verdict, "without a control")
	for _, uri := range []string{"/_matrix/key/v2/server", "/_matrix/federation/v1/version", "/.well-known/matrix/server", "/_matrix/federation/v1/state/!other:hs1"} {
		result := asked(true, "GET", uri, "")
		assert.Equal(t, verdict.Pass, result.Verdict, "%s: %s", uri, result.Reason)
	}
	for _, uri := range []string{
		"/_matrix/federation/v1/make_join/" + testRoom + "/@a:hs1", "/_matrix/federation/v1/state/" + url.PathEscape(testRoom),
		"/_matrix/federation/v1/backfill/%21room%3Ahs1?limit=1", "/_matrix/federation/unstable/x?room_id=" + url.QueryEscape(testRoom),
	} {
		result := asked(true, "GET", uri, "")
		assert.Equal(t, verdict.Fail, result.Verdict, uri)
		assert.Contains(t, result.Reason, "was sent a request about the room")
	}
	for _, uri := range []string{
		"/_matrix/federation/v1/user/devices/" + claimed, "/_matrix/federation/v1/query/profile?user_id=" + url.QueryEscape(claimed),
	} {
		result := asked(true, "GET", uri, "")
		assert.Equal(t, verdict.Fail, result.Verdict, uri)
		assert.Contains(t, result.Reason, "was sent a request about the claimed user")
	}
	for _, body := range []string{
		`{"origin":"hs1","pdus":[{"type":"m.room.message","room_id":"` + testRoom + `","sender":"x","content":{}}]}`,
		`{"origin":"hs1","pdus":[],"edus":[{"edu_type":"m.typing","content":{"room_id":"` + testRoom + `"}}]}`,
	} {
		assert.Equal(t, verdict.Fail, asked(true, "PUT", "/_matrix/federation/v1/send/1", body).Verdict, body)
	}
}

func TestReceivedOnlyEDUs(t *testing.T) {
	f := newFakeCandidate(t)
	sent := func(control bool, method, uri, body string) verdict.CheckResult {
		return f.judge(t, func(s *stage.Stage) {
			stranger := s.Peer()
			ctx, cancel := stranger.Within()
			defer cancel()
			var content []byte
			if body != "" {
				content = []byte(body)
			}
			if _, err := f.server.Do(ctx, stranger.Name(), method, uri, content); err != nil {
				s.C.SuiteError(err)
			}
			if control {
				s.C.Control(nil)
			}
			stranger.ReceivedOnlyEDUs("m.direct_to_device")
		})
	}
	const transaction, toDevice = "/_matrix/federation/v1/send/1", `{"origin":"hs1","pdus":[],"edus":[{"edu_type":"m.direct_to_device","content":{}}]}`
	assert.Equal(t, verdict.Error, sent(false, "PUT", transaction, toDevice).Verdict, "without a control")
	assert.Equal(t, verdict.Pass, sent(true, "PUT", transaction, toDevice).Verdict)
	assert.Equal(t, verdict.Pass, sent(true, "GET", "/_matrix/key/v2/server", "").Verdict)
	for _, wrong := range []struct{ method, uri, body, reason string }{
		{"GET", "/_matrix/federation/v1/publicRooms", "", "was sent a request"},
		{"PUT", transaction, `{"origin":"hs1","pdus":[{"type":"m.room.message","room_id":"!other:hs1","sender":"x","content":{}}]}`, "was sent an event"},
		{"PUT", transaction, `{"origin":"hs1","pdus":[],"edus":[{"edu_type":"m.presence","content":{"push":[]}}]}`, `was sent "m.presence"`},
	} {
		result := sent(true, wrong.method, wrong.uri, wrong.body)
		assert.Equal(t, verdict.Fail, result.Verdict, wrong.uri)
		assert.Contains(t, result.Reason, wrong.reason)
	}
}
