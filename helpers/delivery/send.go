package delivery

import (
	"context"
	"net/http"
	"net/url"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

// Paths by which a server sends an event to the server under test.
var (
	// Send is PUT /send, a transaction.
	Send = Path{
		Name: "send", Kinds: []Kind{Message, MemberState, PrivilegedState, Join},
		Push: pushBySend, Deliver: pushed(pushBySend), Introduce: introduceBySend,
		Attack: func(a *Attack, inputs []hostile.Input) {
			for _, event := range a.forgeAll(inputs) {
				a.asks(func(ctx context.Context) error {
					_, err := a.Origin.SendTransaction(ctx, a.ServerName(1), []federation.Event{event}, nil)
					return err
				})
			}
		},
	}
	// SendJoin is PUT /send_join.
	SendJoin = Path{
		Name: "send_join", Kinds: []Kind{Join},
		Push: (*stage.Room).SendsJoinEvent, Deliver: pushed((*stage.Room).SendsJoinEvent),
		Attack: func(a *Attack, inputs []hostile.Input) {
			for _, event := range a.forgeAll(inputs) {
				a.asks(func(ctx context.Context) error {
					uri := "/_matrix/federation/v2/send_join/" + csapi.Path(a.Room.ID(), event.ID())[1:]
					_, err := a.Origin.Do(ctx, a.ServerName(1), http.MethodPut, uri, event.JSON())
					return err
				})
			}
		},
	}
	// SendLeave is PUT /send_leave.
	SendLeave = Path{Name: "send_leave", Deliver: put("v2/send_leave")}
	// SendKnock is PUT /send_knock.
	SendKnock = Path{Name: "send_knock", Deliver: put("v1/send_knock")}
)

func pushBySend(room *stage.Room, event federation.Event) (federation.Answer, error) {
	answer, err := room.Pushes(event)
	if err != nil {
		return federation.Answer{}, err
	}
	return answer.Answer, nil
}

// put delivers a member event at an endpoint of its own.
func put(endpoint string) func(Scene, federation.Event, *federation.User) Delivery {
	return func(s Scene, event federation.Event, _ *federation.User) Delivery {
		answer := PutMember(s.Stage, s.Origin, endpoint, event)
		return Delivery{Answer: answer.String(), Barrier: s.Barrier()}
	}
}

// PutMember lets a peer send a member event to hs1 at an endpoint that is for events of its membership: "v1/send_knock". The check is
// unsupported if the server does not know that.
func PutMember(s *stage.Stage, peer *stage.Peer, endpoint string, event federation.Event) federation.Answer {
	ctx, cancel := peer.Within()
	defer cancel()
	uri := "/_matrix/federation/" + endpoint + "/" + url.PathEscape(event.RoomID()) + "/" + url.PathEscape(event.ID())
	answer, err := peer.Do(ctx, s.ServerName(1), http.MethodPut, uri, event.JSON())
	s.C.Need("resilience/stays-up", err)
	if answer.Status == http.StatusNotFound && answer.ErrCode() == "M_UNRECOGNIZED" || answer.Status == http.StatusNotImplemented {
		s.C.Unsupported("the server does not know %s: %s", endpoint, answer)
	}
	return answer
}
