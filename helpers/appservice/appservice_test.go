package appservice

import (
	"context"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"go.yaml.in/yaml/v3"

	"msc4014/helpers/match"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// registration is what the specification has a server read.
type registration struct {
	ID         string `yaml:"id"`
	URL        string `yaml:"url"`
	AsToken    string `yaml:"as_token"`
	HsToken    string `yaml:"hs_token"`
	Sender     string `yaml:"sender_localpart"`
	Namespaces map[string][]struct {
		Exclusive bool   `yaml:"exclusive"`
		Regex     string `yaml:"regex"`
	} `yaml:"namespaces"`
}

func started(t *testing.T) (*Host, *Service, registration) {
	t.Helper()
	host, err := Listen(runtime.PeerAddress{Name: "127.0.0.1", Listen: "127.0.0.1:8448"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, host.Close()) })
	service := host.Add("bridge", "bridge-service", `@bridged-"x".*`)
	var read registration
	require.NoError(t, yaml.Unmarshal(host.Registrations()["bridge.yaml"], &read))
	return host, service, read
}

func put(t *testing.T, url, token, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(body))
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(answer)
}

func TestRegistration(t *testing.T) {
	_, _, read := started(t)
	assert.Equal(t, "bridge", read.ID)
	assert.Equal(t, "bridge-service", read.Sender)
	assert.NotEqual(t, read.AsToken, read.HsToken)
	require.Len(t, read.Namespaces["users"], 1)
	assert.Equal(t, `@bridged-"x".*`, read.Namespaces["users"][0].Regex)
	assert.True(t, strings.HasPrefix(read.URL, "http://127.0.0.1:"), read.URL)
	assert.True(t, strings.HasSuffix(read.URL, "/bridge"), read.URL)
	assert.NotContains(t, read.URL, ":8448", "peers use TLS there")
}

func TestASocketIsUsed(t *testing.T) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host, err := Listen(runtime.PeerAddress{Name: "host.example:1", Listen: "127.0.0.1:1", Socket: socket})
	require.NoError(t, err)
	_, port, _ := net.SplitHostPort(socket.Addr().String())
	assert.Equal(t, "http://host.example:"+port, host.url)
	assert.NoError(t, host.Close())
}

func TestTransactionsAreTakenOnce(t *testing.T) {
	_, service, read := started(t)
	var recorded []transcript.Exchange
	recording := service.Record(transcript.SinkFunc(func(e transcript.Exchange) { recorded = append(recorded, transcript.WithoutSecrets(e)) }))
	recording.Room("!r")
	const body = `{"events":[{"event_id":"$1","room_id":"!r"},{"event_id":"$2","room_id":"!r"},{"event_id":"$3","room_id":"!other"}]}`
	path := read.URL + "/_matrix/app/v1/transactions/"
	for range 2 {
		status, answer := put(t, path+"1", read.HsToken, body)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, "{}", answer)
	}
	status, _ := put(t, path+"2?access_token="+read.HsToken, "", `{"events":[{"event_id":"$4","room_id":"!r"}]}`)
	assert.Equal(t, http.StatusOK, status, "earlier versions of the API have the token in the query")
	var ids []string
	for _, event := range service.Events("!r") {
		ids = append(ids, event.Get("event_id").String())
	}
	assert.Equal(t, []string{"$1", "$2", "$4"}, ids)
	recording.Stop()
	_, _ = put(t, path+"3", read.HsToken, `{"events":[]}`)
	require.Len(t, recorded, 3)
	for _, exchange := range recorded {
		assert.NotContains(t, exchange.URL, read.HsToken)
		assert.Empty(t, exchange.RequestHeader.Get("Authorization"))
	}
}

// TestAnExchangeIsRecordedBeforeItIsSeen: a check that ends as soon as it sees an event has the push of it in its transcript.
func TestAnExchangeIsRecordedBeforeItIsSeen(t *testing.T) {
	_, service, read := started(t)
	changed, recorded := service.changed, 0
	recording := service.Record(transcript.SinkFunc(func(transcript.Exchange) {
		recorded++
		select {
		case <-changed:
			assert.Fail(t, "the checks that wait were woken before")
		default:
		}
	}))
	recording.Room("!r")
	_, _ = put(t, read.URL+transactionsPath+"1", read.HsToken, `{"events":[{"event_id":"$1","room_id":"!r"}]}`)
	assert.Equal(t, 1, recorded)
	select {
	case <-changed:
	default:
		assert.Fail(t, "the checks that wait were not woken")
	}
}

// TestARecordingHasItsRooms: checks share a service, and each has what was pushed of its own rooms in its transcript, also before it asked.
func TestARecordingHasItsRooms(t *testing.T) {
	host, service, read := started(t)
	var recorded, others []string
	into := func(list *[]string) transcript.Sink {
		return transcript.SinkFunc(func(e transcript.Exchange) { *list = append(*list, path.Base(e.URL)) })
	}
	recording := service.Record(into(&recorded))
	host.Add("everyone", "everyone-service", ".*").Record(into(&others)).Room("!mine")
	push := func(transaction string, rooms ...string) {
		var events []string
		for _, room := range rooms {
			events = append(events, `{"room_id":"`+room+`"}`)
		}
		status, _ := put(t, read.URL+transactionsPath+transaction, read.HsToken, `{"events":[`+strings.Join(events, ",")+`]}`)
		assert.Equal(t, http.StatusOK, status)
	}
	push("1", "!mine", "!also-mine")
	push("2", "!another")
	assert.Empty(t, recorded)
	for range 2 {
		recording.Room("!mine")
		recording.Room("!also-mine")
	}
	assert.Equal(t, []string{"1"}, recorded)
	push("3", "!another")
	push("4", "!another", "!also-mine", "!mine")
	push("4", "!another", "!also-mine", "!mine")
	_, _ = put(t, read.URL+transactionsPath+"refused", "", "")
	assert.Equal(t, []string{"1", "4", "4", "refused"}, recorded, "each request once, and what is wrong whosever it is")
	assert.Empty(t, others, "pushes to another service")
}

func TestWhatIsRefused(t *testing.T) {
	_, service, read := started(t)
	transactions := read.URL + "/_matrix/app/v1/transactions/1"
	for _, each := range []struct {
		url, token, body string
		status           int
	}{
		{transactions, "", `{"events":[]}`, http.StatusForbidden},
		{transactions, read.AsToken, `{"events":[]}`, http.StatusForbidden},
		{transactions, read.HsToken, `{"events":`, http.StatusBadRequest},
		{transactions, read.HsToken, `{"events":{}}`, http.StatusBadRequest},
		{read.URL + "/_matrix/app/v1/users/@x:y", read.HsToken, ``, http.StatusNotFound},
		{strings.TrimSuffix(read.URL, "bridge") + "nosuch/_matrix/app/v1/transactions/1", read.HsToken, `{}`, http.StatusNotFound},
	} {
		status, answer := put(t, each.url, each.token, each.body)
		assert.Equal(t, each.status, status, each.url)
		assert.Contains(t, answer, `"errcode":"M_`)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := service.Wait(ctx, "!r", func(gjson.Result) error { return nil })
	var wait *WaitError
	require.ErrorAs(t, err, &wait)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "it refused PUT")
	assert.ErrorContains(t, err, "which did not have the server's token; a transaction: ")
}

func TestWait(t *testing.T) {
	_, service, read := started(t)
	found := make(chan gjson.Result, 1)
	go func() {
		event, _ := service.Wait(t.Context(), "!r", match.EventID("$2"))
		found <- event
	}()
	for _, id := range []string{"1", "2"} {
		_, _ = put(t, read.URL+"/_matrix/app/v1/transactions/"+id, read.HsToken, `{"events":[{"event_id":"$`+id+`","room_id":"!r"}]}`)
	}
	assert.Equal(t, "$2", (<-found).Get("event_id").String())
}
