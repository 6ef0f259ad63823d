package stage_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"msc4014/helpers/appservice"
	"msc4014/helpers/check"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// served is a deployment of which only the application services can be used.
type served struct {
	stage.Deployment
	host *appservice.Host
}

func (s served) Services() *appservice.Host { return s.host }

func TestAPushIsInTheTranscriptOnce(t *testing.T) {
	host, err := appservice.Listen(runtime.PeerAddress{Name: "127.0.0.1", Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, host.Close()) })
	host.Add(stage.Bridge, "bridge-service", ".*")
	var registered struct {
		URL   string `yaml:"url"`
		Token string `yaml:"hs_token"`
	}
	require.NoError(t, yaml.Unmarshal(host.Registrations()[stage.Bridge+".yaml"], &registered))
	push := func(transaction, event string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, registered.URL+"/_matrix/app/v1/transactions/"+transaction,
			strings.NewReader(`{"events":[`+event+`]}`))
		assert.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+registered.Token)
		response, err := http.DefaultClient.Do(request)
		assert.NoError(t, err)
		assert.NoError(t, response.Body.Close())
	}
	result := opened(t, false, func(c *check.C, _ stage.Blueprint) *stage.Stage {
		s := &stage.Stage{C: c, Deployment: served{host: host}}
		s.Service(stage.Bridge)
		push("1", `{"room_id":"!r","event_id":"$1"}`)
		push("2", `{"room_id":"!another check's","event_id":"$2"}`)
		_, err := s.Service(stage.Bridge).IsPushed("!r", match.EventID("$1"))
		assert.NoError(t, err)
		assert.Len(t, s.Service(stage.Bridge).Events("!r"), 1)
		assert.Len(t, c.Transcript(), 1)
		return s
	})
	assert.NotEqual(t, verdict.Error, result.Verdict, result.Reason)
}
