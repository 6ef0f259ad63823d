package delivery

import (
	"context"
	"fmt"

	"github.com/tidwall/sjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/pseudoid"
)

// CompletedInvite is the answer to an invite by the server under test, which the server of the invited user completes: Alice
// invites the joiner, and Origin completes the invite with the mapping that the join would have.
var CompletedInvite = Path{
	Name: "the completed invite", Known: true,
	Deliver: func(s Scene, join federation.Event, joiner *federation.User) Delivery {
		mapping, _ := mappingOf(join)
		s.Origin.Handle(federation.Invite, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
			answer := honest()
			event, err := complete([]byte(answer.Get("event").Raw), s.Room.SignerOf(joiner.KeyIn(s.Room.ID())), mapping, join.Format())
			if err != nil || !answer.OK() {
				return answer
			}
			return answer.Set("event", federation.NewEvent(event, join.Format()))
		})
		answer := "200"
		if err := s.Alice.Invite(s.C.Context(), s.Room.ID(), joiner.ID()); err != nil {
			answer = err.Error()
		}
		return Delivery{Answer: fmt.Sprintf("%s for the invite of its own user", answer), Barrier: s.Barrier()}
	},
	Attack: func(a *Attack, inputs []hostile.Input) {
		for _, input := range inputs {
			liar := a.liar()
			remove := a.Origin.Handle(federation.Invite, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
				answer := honest()
				forged := a.Honest(a.Room, liar, []byte(answer.Get("event").Raw)).Forge(input)
				a.marks(forged)
				return federation.Answer{Status: answer.Status, Body: append(append([]byte(`{"event":`), forged.JSON...), '}')}
			})
			a.asks(func(ctx context.Context) error { return a.Alice.Client.Invite(ctx, a.Room.ID(), liar.ID()) })
			remove()
		}
	},
}

// complete replaces the mapping in a completed invite and signs it again; nil removes the mapping.
func complete(invite []byte, invited federation.Signer, mapping []byte, format pseudoid.Format) ([]byte, error) {
	var err error
	for _, field := range []string{"hashes", "signatures", "content." + pseudoid.MappingField} {
		if invite, err = sjson.DeleteBytes(invite, field); err != nil {
			return nil, err
		}
	}
	if mapping != nil {
		if invite, err = sjson.SetRawBytes(invite, "content."+pseudoid.MappingField, mapping); err != nil {
			return nil, err
		}
	}
	return invited.Sign(invite, format)
}

func mappingOf(event federation.Event) ([]byte, bool) { return pseudoid.MappingOf(event.JSON()) }
