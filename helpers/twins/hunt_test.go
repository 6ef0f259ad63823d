package twins

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/pseudoid"
	"msc4014/reference/homeserver"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// hunter returns a hunter on a reference homeserver behind a handler.
func hunter(t *testing.T, behind func(http.Handler) http.Handler) *Hunter {
	t.Helper()
	home, err := homeserver.New(homeserver.Config{
		ServerName: "hs1", DataDir: t.TempDir(), Dialect: pdu.DialectMSC4014, Readings: pseudonym.DefaultReadings(pdu.DialectMSC4014),
	})
	require.NoError(t, err)
	served := httptest.NewServer(behind(home.ClientHandler()))
	t.Cleanup(func() {
		served.Close()
		assert.NoError(t, home.Close())
	})
	server := csapi.Server{Name: "hs1", BaseURL: func() string { return served.URL }}
	registered := 0
	return &Hunter{Context: t.Context(), Meet: func(cast Cast) (Company, error) {
		company := Company{Ordinary: "10", Pseudo: pseudoid.RoomVersion, Within: func(limit time.Duration) (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 4*limit)
		}}
		for range cast.Users {
			registered++
			user, err := server.Register(t.Context(), fmt.Sprintf("user%d", registered), "password")
			if err != nil {
				return company, err
			}
			company.Users = append(company.Users, user)
		}
		return company, nil
	}}
}

func TestNoDifferences(t *testing.T) {
	t.Parallel()
	one := hunter(t, func(home http.Handler) http.Handler { return home })
	for seed := range uint64(3) {
		require.NoError(t, one.Hunt(Generate(OneServer, seed)))
	}
	for _, found := range one.Found {
		t.Error(found.Story())
	}
	assert.Empty(t, one.Unsteady)
	assert.Empty(t, one.Noise)
	assert.Equal(t, 3, one.Plays)
	assert.Equal(t, 3, one.Counts[createKind])
	assert.Positive(t, one.Counts["/messages backwards"])
	assert.Positive(t, one.Aside["event-format/create-names-no-mxid"])
}

// refusing refuses topics in pseudo-ID rooms.
func refusing(home http.Handler) http.Handler {
	var rooms []string
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inPseudo := slices.ContainsFunc(rooms, func(roomID string) bool { return strings.Contains(r.URL.Path, roomID) })
		if inPseudo && strings.Contains(r.URL.Path, "/state/m.room.topic/") {
			http.Error(w, `{"errcode":"M_UNKNOWN"}`, http.StatusInternalServerError)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/createRoom") {
			home.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		home.ServeHTTP(answer, r)
		if gjson.GetBytes(body, "room_version").String() == pseudoid.RoomVersion {
			rooms = append(rooms, gjson.Get(answer.Body.String(), "room_id").String())
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	one := hunter(t, refusing)
	session := Session{Cast: OneServer, Steps: []Step{
		{ID: 1, Kind: createKind, Whom: nobody, Of: nothing, Arg: "public_chat published direct"},
		{ID: 2, Kind: "message", Whom: nobody, Of: nothing},
		{ID: 3, Kind: "join", By: 1, Whom: nobody, Of: nothing},
		{ID: 4, Kind: "topic", Whom: nobody, Of: nothing},
		{ID: 5, Kind: "reply", Whom: nobody, Of: 2, Look: true},
	}}
	require.NoError(t, one.Hunt(session))
	require.Len(t, one.Found, 1)
	found := one.Found[0]
	assert.Equal(t, []string{"topic: answer: status"}, found.Names)
	assert.NotEmpty(t, found.Exchanges)
	one.Shorten(found, 40)
	assert.Equal(t, `topic: answer: status
  1. alice: create room (public_chat)
  4. alice: topic
  ordinary room:  alice gets "200"
  pseudo-ID room: alice gets "500 M_UNKNOWN"`, found.Story())
}

// TestLateEvents: an event that is late in one play hides nothing that both rooms would have shown after it.
func TestLateEvents(t *testing.T) {
	late := func(step int) Difference {
		return Difference{Step: "message", StepID: step, Endpoint: "/sync timeline", Field: "[m.room.message]", Parts: true}
	}
	real := Difference{Step: "topic", StepID: 20, Endpoint: "answer", Field: "event_id"}
	refused := Difference{Step: "name", StepID: 20, Endpoint: "answer", Field: "status", Parts: true}
	whole := []Difference{real}
	for name, one := range map[string]struct {
		plays           [][]Difference
		found, unsteady int
	}{
		"no play":                          {[][]Difference{whole, whole}, 1, 0},
		"the first play":                   {[][]Difference{{late(5)}, whole, whole}, 1, 1},
		"the second play":                  {[][]Difference{whole, {late(5)}, whole}, 1, 1},
		"the first play, and once more":    {[][]Difference{{late(5)}, whole, {late(6)}, whole}, 1, 2},
		"two plays, the first one earlier": {[][]Difference{{late(5)}, {late(6)}, whole, whole}, 1, 2},
		"two plays, at different events":   {[][]Difference{{late(6)}, {late(5)}, whole, whole}, 1, 2},
		"one play, before what is refused": {[][]Difference{{refused}, {late(5)}, {refused}, nil}, 1, 1},
		"both plays: it is lost":           {[][]Difference{{late(5)}, {late(5)}, nil}, 1, 0},
		"two plays of three: it is lost":   {[][]Difference{whole, {late(5)}, {late(5)}, nil}, 1, 0},
		"every play":                       {[][]Difference{whole, {late(5)}, {late(6)}, {late(7)}, {late(8)}}, 0, 4},
	} {
		played := 0
		hunter := &Hunter{Context: t.Context(), Meet: func(Cast) (Company, error) { return Company{}, nil }}
		hunter.player = func(Company, Session) (Played, error) {
			require.Less(t, played, len(one.plays), name)
			played++
			return Played{Differences: one.plays[played-1]}, nil
		}
		session := Session{Cast: TwoServers, Steps: []Step{{ID: 1, Kind: createKind}, {ID: 5, Kind: "message"}, {ID: 20, Kind: "topic"}}}
		require.NoError(t, hunter.Hunt(session), name)
		assert.Len(t, hunter.Found, one.found, name)
		assert.Len(t, hunter.Unsteady, one.unsteady, name)
		assert.Len(t, one.plays, played, name)
		assert.Equal(t, name == "every play", len(hunter.Cut) > 0, name)
	}
}

// TestCut: a session that is refused too often is told.
func TestCut(t *testing.T) {
	session := Session{Cast: OneServer, Seed: 9, Steps: []Step{{ID: 1, Kind: createKind}}}
	for id := 2; id < 9; id++ {
		session.Steps = append(session.Steps, Step{ID: id, Kind: "message", By: id})
	}
	hunter := &Hunter{Context: t.Context(), Meet: func(Cast) (Company, error) { return Company{}, nil }, Expected: func(string) bool { return true }}
	hunter.player = func(_ Company, session Session) (Played, error) {
		return Played{Differences: []Difference{{Step: "message", StepID: session.Steps[1].ID, Endpoint: "answer", Field: "status", Parts: true}}}, nil
	}
	require.NoError(t, hunter.Hunt(session))
	assert.Equal(t, []uint64{9}, hunter.Cut)
}

// TestNewIsToldBesideKnown: what is new has a story of its own, also if something expected has the same cause.
func TestNewIsToldBesideKnown(t *testing.T) {
	known := Difference{Step: "avatar", StepID: 2, Endpoint: "answer", Field: "[m.room.member].sender"}
	fresh := Difference{Step: "join", StepID: 3, Endpoint: "answer", Field: "[m.room.member].sender"}
	require.Equal(t, known.Cause(), fresh.Cause())
	hunter := &Hunter{Context: t.Context(), Meet: func(Cast) (Company, error) { return Company{}, nil }}
	hunter.Expected = func(name string) bool { return name == known.Name() }
	hunter.player = func(Company, Session) (Played, error) { return Played{Differences: []Difference{known, fresh}}, nil }
	require.NoError(t, hunter.Hunt(Session{Cast: OneServer, Steps: []Step{{ID: 1, Kind: createKind}, {ID: 2, Kind: "avatar"}, {ID: 3, Kind: "join"}}}))
	require.Len(t, hunter.Found, 2)
	assert.Equal(t, []string{fresh.Name()}, hunter.Found[1].Names)
}

// TestNoRoom: a room that no version may be created as is created by its preset alone, and a server without rooms is told.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	session := Session{Cast: OneServer, Steps: []Step{
		{ID: 1, Kind: createKind, Whom: nobody, Of: nothing, Arg: "public_chat published"}, {ID: 2, Kind: "message", Whom: nobody, Of: nothing, Look: true},
	}}
	refusing := func(words string) func(http.Handler) http.Handler {
		return func(home http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if strings.HasSuffix(r.URL.Path, "/createRoom") && bytes.Contains(body, []byte("power_level_content_override")) && bytes.Contains(body, []byte(words)) {
					http.Error(w, `{"errcode":"M_FORBIDDEN"}`, http.StatusForbidden)
					return
				}
				home.ServeHTTP(w, r)
			})
		}
	}
	one := hunter(t, refusing(`"visibility"`))
	require.NoError(t, one.Hunt(session))
	assert.Equal(t, 1, one.Counts["message"])
	assert.Empty(t, one.Found)

	one = hunter(t, refusing(""))
	assert.ErrorContains(t, one.Hunt(session), "a room of any version is refused: 403 M_FORBIDDEN")
}
