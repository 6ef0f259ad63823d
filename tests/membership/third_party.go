package membership

// Third-party invites: of somebody who is known by an e-mail address, and has a user ID later.

import (
	"fmt"
	"net/http"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// Who redeems a third-party invite has to be named by user ID both in what the identity server signed and in the state key of the
// invite (authorisation rules, m.room.member, 4.4.1), which is a key here. The proposal says nothing of it. The peer plays the invited
// user's server and the identity server; the invite itself is written by the client, since the server under test need not trust that
// one.
var _ = check.Register(check.Check{
	Name:     "what becomes of a third-party invite",
	Requires: []string{"membership/third-party-invite"},
	Path:     "exchange_third_party_invite",
	Body: func(c *check.C) {
		m := openClosedMeeting(c)
		token, issuer := "token-of-"+m.alice.UserID[1:9], pseudoid.GenerateKeyPair()
		offer := map[string]any{
			"display_name": "g...@e...", "key_validity_url": "https://example.org/valid", "public_key": issuer.Public,
			"public_keys": []any{map[string]any{"public_key": issuer.Public, "key_validity_url": "https://example.org/valid"}},
		}
		offered, err := m.alice.SendState(c.Context(), m.room.ID(), thirdPartyInvite, token, offer)
		if csapi.NoAnswer(err) {
			c.Need("resilience/stays-up", err)
		}
		if err != nil {
			ordinary := m.alice.MakesOrdinary(stage.Private)
			reading := "refused"
			if _, err := m.alice.SendState(c.Context(), ordinary, thirdPartyInvite, token, offer); err != nil {
				reading = "not-offered"
			}
			c.Observe(reading, "the invite was answered with %v", err)
			return
		}
		m.room.Blaming("routing/reaches-members").AwaitsEvent(offered)
		guests := m.Peer()
		guest := guests.User("guest")
		detail := "the invite was accepted"
		for _, sender := range []string{m.alice.UserID, m.room.Blaming("mapping/in-creator-join").MemberOf(m.alice.UserID).Sender()} {
			answer := m.exchanges(guests, guest, sender, token, issuer)
			detail += fmt.Sprintf("; to redeem it, sent by %s, was answered with %s", nameOf(sender, m.alice.UserID), answer)
			if answer.OK() {
				break
			}
		}
		m.barrier()
		invited := m.membership(guest.ID()) == "invite"
		_, refused := guests.TryJoin(m.ServerName(1), m.room.ID(), guest)
		m.barrier()
		switch joined := m.membership(guest.ID()) == "join"; {
		case joined && invited:
			c.Observe("works", "%s", detail)
		case !joined:
			c.Observe("cannot-be-redeemed", "%s; the user is invited: %t; its join was answered with %v", detail, invited, refused)
		default:
			c.Observe("other", "%s; who was not invited could join", detail)
		}
	},
})

const thirdPartyInvite = "m.room.third_party_invite"

// exchanges lets a peer redeem a third-party invite for its user at the server under test, which is to invite it then.
func (m meeting) exchanges(guests *stage.Peer, guest *federation.User, sender, token string, issuer pseudoid.KeyPair) federation.Answer {
	signed, err := pseudoid.SignJSON([]byte(`{"mxid":`+quoted(guest.ID())+`,"token":`+quoted(token)+`}`), guests.Name(), "ed25519:0", issuer.Private)
	if err != nil {
		m.C.SuiteError(err)
	}
	body := `{"type":"m.room.member","room_id":` + quoted(m.room.ID()) + `,"sender":` + quoted(sender) + `,"state_key":` + quoted(guest.ID()) +
		`,"content":{"membership":"invite","third_party_invite":{"display_name":"g...@e...","signed":` + string(signed) + `}}}`
	ctx, cancel := guests.Within()
	defer cancel()
	uri := "/_matrix/federation/v1/exchange_third_party_invite" + csapi.Path(m.room.ID())
	answer, err := guests.Do(ctx, m.ServerName(1), http.MethodPut, uri, []byte(body))
	m.C.Need("resilience/stays-up", err)
	return answer
}

// quoted is a text as JSON.
func quoted(text string) string { return string(gjson.AppendJSONString(nil, text)) }
