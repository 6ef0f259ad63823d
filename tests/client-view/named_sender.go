package clientview

// Events that name another sender than the one that signed them.

import (
	"msc4014/blueprints"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
)

// The sender that clients see is the user behind the key that sent the event (MSC4014, Changes from MSC1228 5). Events have no other
// field for it (Proposal 1), so what stands in one is nobody's word but the liar's. A server may refuse such an event.
func init() {
	delivery.Register(blueprints.OneServer, []delivery.Forgery{{
		Requires: "client-view/sender-is-user-id", Name: "an event that names another member as its sender, too",
		Kinds: []delivery.Kind{delivery.Message}, Paths: []string{"send", "get_missing_events"},
		Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
			template := honest(s.Dan).Alter(federation.SetField("verified_sender_mxid", s.Carol.ID()))
			if template.Format().SenderField() == "sender" {
				return template.Alter(federation.SetField("sender_key", s.Carol.SenderIn(s.Room.Room)))
			}
			return template.Alter(federation.SetField("sender", s.Carol.ID()))
		},
		Judge: isShownAsDans,
	}})
}

// isShownAsDans ensures that clients see Dan as the sender of an event, or do not see it.
func isShownAsDans(s delivery.Scene, _ delivery.Forgery, delivered delivery.Delivered) {
	for _, view := range s.Alice.Views(delivered.Room.ID()) {
		for _, event := range view.Events {
			if event.Get("event_id").String() != delivered.Event.ID() {
				continue
			}
			if sender := event.Get("sender").String(); sender != s.Dan.ID() {
				s.C.Errorf("%s shows %q as the sender of an event of %s, which only names another", view.Name, sender, s.Dan.ID())
			}
			if key := event.Get("sender_key").String(); key == s.Carol.SenderIn(s.Room.Room) {
				s.C.Errorf("%s shows the sender key of another member in an event of %s, which only names it", view.Name, s.Dan.ID())
			}
		}
	}
}
