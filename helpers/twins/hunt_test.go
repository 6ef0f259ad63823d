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
