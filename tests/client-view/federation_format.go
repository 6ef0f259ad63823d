package clientview

import (
	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
)

const federationFormat = "a /sync with event_format federation"

// Clients that ask for events as servers get them are given the keys that sent them (MSC4014, hard requirement 2; client-server API,
// Filtering): in the field that the dialect has for that, or beside a user ID where the server does not know the format.
var _ = check.Register(check.Check{
	Name:     federationFormat + " shows sender keys",
	Requires: []string{"client-view/sender-key-present"},
	Path:     federationFormat,
	Slow:     collecting,
	Body: func(c *check.C) {
		v := view(c)
		given := v.answers[federationFormat]
		if given.err != nil {
			needOrdinary(c, federationFormat, given.err, nil, func(p *preparing) error {
				p.asksFederationFormat()
				return p.answers[federationFormat].err
			})
			c.Must(given.err)
		}
		judged := 0
		for _, shown := range given.shown {
			original, known := v.hashed(shown)
			if !known {
				continue
			}
			judged++
			field := original.Format().SenderField()
			if key, named := shown.Get("sender_key").String(), shown.Get(field).String(); key != original.Sender() && named != original.Sender() {
				c.Errorf("%s has the sender_key %q and the sender %q, wanted the key %q", v.describe(original), key, shown.Get("sender").String(),
					original.Sender())
			}
		}
		if judged == 0 {
			c.Failf("%s has none of the room's events: it has %d", federationFormat, len(given.shown))
		}
	},
})

// hashed returns the event that has the ID, or else the content hash, of what a client is shown: in this format events have no IDs.
func (v viewed) hashed(shown gjson.Result) (federation.Event, bool) {
	if id := shown.Get("event_id"); id.Exists() {
		return v.event(id.String())
	}
	hash := shown.Get("hashes.sha256").String()
	for _, event := range v.events {
		if hash != "" && event.Get("hashes.sha256").String() == hash {
			return event, true
		}
	}
	return federation.Event{}, false
}

// asksFederationFormat requests a first /sync with events as servers get them.
func (p *preparing) asksFederationFormat() {
	synced, err := p.alice.Sync(p.C.Context(), "", 0, encode(map[string]any{
		"event_format": "federation", "room": map[string]any{"rooms": []string{p.roomID}, "timeline": map[string]any{"limit": 20}},
	}))
	if csapi.NoAnswer(err) {
		p.C.Need("resilience/stays-up", err)
	}
	given := answers{err: err}
	if err == nil {
		given.shown = csapi.EventsIn(synced, p.roomID)
	}
	p.answers[federationFormat] = given
}
