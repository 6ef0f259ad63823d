package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
)

// Queries are requests of Origin about users, their keys, and aliases.
var Queries = Path{
	Name:         "query and user",
	Documents:    make([]hostile.Document, len(queries)),
	Placeholders: (*Attack).queryPlaceholders,
	Attack: func(a *Attack, inputs []hostile.Input) {
		for _, input := range inputs {
			a.asks(func(ctx context.Context) error {
				_, err := queryOf(input).send(ctx, a, a.Origin.Peer, input.Document(), input)
				return err
			})
		}
	},
}

// Answers are Origin's answers to requests that the server makes for Alice.
var Answers = Path{
	Name:      "query and user",
	Documents: make([]hostile.Document, len(answers)),
	Attack: func(a *Attack, inputs []hostile.Input) {
		a.Chances += len(inputs)
		for _, input := range inputs {
			answer, body := answerOf(input), a.Write(input)
			given := make(chan struct{}, 1)
			remove := a.Origin.Handle(answer.endpoint, func(*federation.Request, func() federation.Answer) federation.Answer {
				select {
				case given <- struct{}{}:
				default:
				}
				return federation.Answer{Status: http.StatusOK, Body: body}
			})
			a.asks(func(ctx context.Context) error { return answer.ask(ctx, a, a.Carol) })
			remove()
			a.Taken += len(given)
		}
	},
}

func init() {
	for i, each := range queries {
		Queries.Documents[i] = hostile.Document{Name: each.name, JSON: each.body}
		Queries.Uses = append(Queries.Uses, Use{each.name + " of an honest server", func(a *Attack) error {
			return each.isAnswered(a, &Queries.Documents[i])
		}})
	}
	for i, each := range answers {
		Answers.Documents[i] = hostile.Document{Name: each.name, JSON: each.body, Around: each.around}
		if each.use != "" {
			Answers.Uses = append(Answers.Uses, Use{each.use, func(a *Attack) error {
				ctx, cancel := a.While()
				defer cancel()
				return each.ask(ctx, a, a.Neighbour)
			}})
		}
	}
}

// query is a request of a server. Its members are the query of the URL, the end of the path if that ends with a slash, or the body of
// a POST.
type query struct{ name, method, path, body string }

var queries = []query{
	{"a query of a profile", http.MethodGet, "query/profile", `{"user_id":"{own}","field":"displayname"}`},
	{"a query of an alias", http.MethodGet, "query/directory", `{"room_alias":"{alias}"}`},
	{"a query of devices", http.MethodGet, "user/devices/", `{"user_id":"{own}"}`},
	{"a query of device keys", http.MethodPost, "user/keys/query", `{"device_keys":{"{own}":["{device}"]}}`},
	{"a claim of one-time keys", http.MethodPost, "user/keys/claim", `{"one_time_keys":{"{own}":{"{device}":"signed_curve25519"}}}`},
}

func queryOf(input hostile.Input) query {
	return queries[slices.IndexFunc(queries, func(q query) bool { return q.name == input.Document().Name })]
}

func (q query) send(ctx context.Context, a *Attack, from *federation.Peer, document *hostile.Document, input hostile.Input) (federation.Answer, error) {
	placeholders := append(a.queryPlaceholders(), a.placeholders()...)
	uri := "/_matrix/federation/v1/" + q.path
	if q.method == http.MethodPost {
		return from.Do(ctx, a.ServerName(1), q.method, uri, document.Write(input, placeholders...))
	}
	texts := document.Query(input, placeholders...)
	if uri[len(uri)-1] == '/' {
		values, _ := url.ParseQuery(texts) // what it cannot parse is left out
		return from.Do(ctx, a.ServerName(1), q.method, uri+url.PathEscape(values.Get("user_id")), nil)
	}
	return from.Do(ctx, a.ServerName(1), q.method, uri+"?"+texts, nil)
}

// queryPlaceholders are those of queries about what the server knows: the alias of a room of its own, and Alice's sender key.
func (a *Attack) queryPlaceholders() []string {
	return []string{"{alias}", a.alias(), "{own key}", a.Room.SenderOf(a.Alice.UserID)}
}

// isAnswered returns an error unless the honest peer's query is answered.
func (q query) isAnswered(a *Attack, document *hostile.Document) error {
	ctx, cancel := a.While()
	defer cancel()
	answer, err := q.send(ctx, a, a.Neighbour.Peer(), document, nil)
	if err == nil && !answer.OK() {
		err = fmt.Errorf("%s was answered %s", q.path, answer)
	}
	return err
}

// alias returns an alias of the honest room, which Alice makes at the first call.
func (a *Attack) alias() string {
	if a.aliasMade == "" {
		a.aliasMade = "#alias-" + a.Alice.UserID[1:]
		ctx, cancel := a.While()
		defer cancel()
		if err := a.Alice.CreateAlias(ctx, a.aliasMade, a.Elsewhere.ID()); err != nil {
			a.C.Notef("no alias to be asked for: %v", err)
		}
	}
	return a.aliasMade
}

// answer is an answer to a request that the server makes when Alice asks it about a user of a peer.
type answer struct {
	name, body, around string
	endpoint           federation.Endpoint
	use                string // what it is for, where an honest peer has an answer
	ask                func(ctx context.Context, a *Attack, user *federation.User) error
}

var answers = []answer{
	{
		"a profile", `{"displayname":"x","avatar_url":"mxc://{peer}/x"}`, "", federation.QueryProfile, "the profile of another server's user",
		func(ctx context.Context, a *Attack, user *federation.User) error {
			_, err := a.Alice.Profile(ctx, user.ID())
			return err
		},
	}, {
		"the room of an alias", `{"room_id":"{room}","servers":["{peer}"]}`, "", federation.QueryDirectory, "",
		func(ctx context.Context, a *Attack, user *federation.User) error {
			_, err := a.Alice.ResolveAlias(ctx, "#alias:"+user.Peer().Name())
			return err
		},
	}, {
		"device keys", `{"device_keys":{"{user}":{"D":` + deviceKeys + `}},"master_keys":{"{user}":` + masterKey + `},"self_signing_keys":{}}`, "",
		federation.UserKeysQuery, "the keys of another server's user",
		func(ctx context.Context, a *Attack, user *federation.User) error {
			answer, err := a.Alice.QueryKeys(ctx, user.ID())
			if err == nil && len(answer.Get("failures").Map()) > 0 {
				err = errors.New("the server names failures")
			}
			return err
		},
	}, {
		"one-time keys", `{"one_time_keys":{"{user}":{"D":{"signed_curve25519:A":{"key":"{key}","signatures":{"{user}":{"ed25519:D":"x"}}}}}}}`, "",
		federation.UserKeysClaim, "a claim of keys of another server's user",
		func(ctx context.Context, a *Attack, user *federation.User) error {
			claim := map[string]any{"one_time_keys": map[string]any{user.ID(): map[string]any{"D": "signed_curve25519"}}}
			_, err := a.Alice.Do(ctx, http.MethodPost, csapi.V3("keys", "claim"), nil, claim)
			return err
		},
	}, {
		"a public room", `{"room_id":"{room}","num_joined_members":1,"world_readable":false,"guest_can_join":false,"name":"x","canonical_alias":"#a:{peer}"}`,
		`{"chunk":[{document}],"total_room_count_estimate":1}`, federation.PublicRooms, "the public rooms of another server",
		func(ctx context.Context, a *Attack, user *federation.User) error {
			_, err := a.Alice.Do(ctx, http.MethodGet, csapi.V3("publicRooms"), url.Values{"server": {user.Peer().Name()}}, nil)
			return err
		},
	},
}

func answerOf(input hostile.Input) answer {
	return answers[slices.IndexFunc(answers, func(a answer) bool { return a.name == input.Document().Name })]
}
