package delivery

import (
	"context"
	"encoding/json"
	"errors"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/match"
)

// EDUs are in transactions of Origin. A server looks up the members of a pseudo-ID room by user ID for them.
var EDUs = Path{
	Name: "send",
	Documents: []hostile.Document{
		eduOf("m.typing", "a typing notification", `{"room_id":"{room}","user_id":"{user}","typing":true}`),
		eduOf("m.receipt", "a receipt", `{"{room}":{"m.read":{"{user}":{"data":{"ts":1},"event_ids":["{event}"]}}}}`),
		{
			Name: "a presence update", JSON: `{"user_id":"{user}","presence":"online","status_msg":"x","last_active_ago":1,"currently_active":true}`,
			Around: `{"edu_type":"m.presence","content":{"push":[{document}]}}`,
		},
		eduOf("m.direct_to_device", "a to-device message",
			`{"sender":"{user}","type":"org.example.word","message_id":"{number}","messages":{"{own}":{"{device}":{"word":"x"}}}}`),
		eduOf("m.device_list_update", "a device list update",
			`{"user_id":"{user}","device_id":"D","stream_id":1,"prev_id":[],"deleted":false,"device_display_name":"x","keys":`+deviceKeys+`}`),
		eduOf("m.signing_key_update", "a signing key update", `{"user_id":"{user}","master_key":`+masterKey+`}`),
		{Name: "an EDU", JSON: `{"edu_type":"m.typing","content":{}}`},
	},
	Uses: []Use{
		{"typing of another server's user", func(a *Attack) error {
			for _, typing := range []bool{true, false} {
				members := []string{}
				if typing {
					members = append(members, a.Neighbour.ID())
				}
				err := a.isShown("m.typing", map[string]any{"room_id": a.Elsewhere.ID(), "user_id": a.Neighbour.ID(), "typing": typing},
					match.Contains(match.Path("rooms", "join", a.Elsewhere.ID(), "ephemeral", "events"),
						match.All(match.Type("m.typing"), match.KeyEqual("content.user_ids", members))))
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"a receipt of another server's user", func(a *Attack) error {
			eventID, err := a.Alice.SendMessage(a.C.Context(), a.Elsewhere.ID(), "said to be read")
			if err != nil {
				return err
			}
			receipt := map[string]any{a.Neighbour.ID(): map[string]any{"data": map[string]any{"ts": 1}, "event_ids": []string{eventID}}}
			return a.isShown("m.receipt", map[string]any{a.Elsewhere.ID(): map[string]any{"m.read": receipt}},
				match.Contains(match.Path("rooms", "join", a.Elsewhere.ID(), "ephemeral", "events"),
					match.All(match.Type("m.receipt"), match.KeyPresent(match.Path("content", eventID, "m.read", a.Neighbour.ID())))))
		}},
		{"presence of another server's user", func(a *Attack) error {
			word := "word " + a.number()
			return a.isShown("m.presence", map[string]any{"push": []any{map[string]any{
				"user_id": a.Neighbour.ID(), "presence": "unavailable", "status_msg": word, "last_active_ago": 1000,
			}}}, match.Contains("presence.events", match.All(match.KeyEqual("sender", a.Neighbour.ID()), match.KeyEqual("content.status_msg", word))))
		}},
		{"a to-device message of another server's user", func(a *Attack) error {
			word := "word " + a.number()
			return a.isShown("m.direct_to_device", map[string]any{
				"sender": a.Neighbour.ID(), "type": "org.example.word", "message_id": word,
				"messages": map[string]any{a.Alice.UserID: map[string]any{a.Alice.DeviceID: map[string]any{"word": word}}},
			}, match.Contains("to_device.events", match.KeyEqual("content.word", word)))
		}},
		{"a device list update of another server's user", func(a *Attack) error {
			return a.isShown("m.device_list_update", map[string]any{
				"user_id": a.Neighbour.ID(), "device_id": "D" + a.number(), "stream_id": a.numbers, "device_display_name": "D",
			}, match.Contains("device_lists.changed", match.KeyEqual("@this", a.Neighbour.ID())))
		}},
	},
	Attack: func(a *Attack, inputs []hostile.Input) {
		for _, input := range inputs {
			edu := a.Write(input)
			a.asks(func(ctx context.Context) error { return a.sendsEDU(ctx, a.Origin.Peer, edu) })
		}
	},
}

func eduOf(kind, name, content string) hostile.Document {
	return hostile.Document{Name: name, JSON: content, Around: `{"edu_type":"` + kind + `","content":{document}}`}
}

// Keys of Carol's, which no server verifies.
const (
	deviceKeys = `{"user_id":"{user}","device_id":"D","algorithms":["m.olm.v1.curve25519-aes-sha2"],"keys":{"ed25519:D":"{key}"},` +
		`"signatures":{"{user}":{"ed25519:D":"x"}}}`
	masterKey = `{"user_id":"{user}","usage":["master"],"keys":{"ed25519:{key}":"{key}"}}`
)

// isShown sends an EDU of the honest peer, and waits until Alice's /sync has what matches.
func (a *Attack) isShown(kind string, content map[string]any, wanted match.Matcher) error {
	edu, err := json.Marshal(map[string]any{"edu_type": kind, "content": content})
	if err != nil {
		a.C.SuiteError(err)
	}
	ctx, cancel := a.While()
	defer cancel()
	before, err := a.Alice.Sync(ctx, "", 0, "")
	if err == nil {
		err = a.sendsEDU(ctx, a.Neighbour.Peer(), edu)
	}
	if err != nil {
		return err
	}
	return a.Alice.SeesInSync(before.Get("next_batch").String(), func(answer *csapi.Response) error { return wanted(answer.JSON()) })
}

// sendsEDU sends an EDU, and returns an error if the transaction is not answered with 200.
func (a *Attack) sendsEDU(ctx context.Context, from *federation.Peer, edu []byte) error {
	answer, err := from.SendTransaction(ctx, a.ServerName(1), nil, []json.RawMessage{edu})
	if err == nil && !answer.OK() {
		err = errors.New("the server answered a transaction with " + answer.String())
	}
	return err
}
