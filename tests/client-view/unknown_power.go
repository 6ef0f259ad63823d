package clientview

// A key in power levels that is nobody's.

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// ghostsPower is the power of a key that no member event names.
const ghostsPower = 40

// Power levels may name a key whose user is not known; how clients are shown it, and what becomes of it when they write power levels
// back, is not said. A creator field that names such a key is not tried: nobody could have joined its room first.
var _ = check.Register(check.Check{
	Name:     "the power of a key that no member event names",
	Requires: []string{"client-view/power-of-unknown-key"},
	Path:     powerType,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		host, ghost := resident.User("host"), resident.User("ghost")
		room := resident.Makes(federation.RoomOptions{Creator: host})
		alice.Joins(room.ID(), resident.Name())
		join := room.Blaming("membership/join-remote").AwaitsMember(alice.UserID, "join")
		key := string(ghost.KeyIn(room.ID()).Public)
		levels := room.Builds(federation.Proto{
			Type: powerType, StateKey: federation.StateKey(""), Sender: host, Content: map[string]any{
				"users": map[string]int{host.SenderIn(room.Room): 100, join.Sender(): 100, key: ghostsPower}, "state_default": 50,
			},
		})
		room.Delivers(levels)
		barrier := room.Says(host, "said after the power levels")
		ctx, cancel := c.Within(stage.Patience)
		defer cancel()
		_, err := alice.WaitForEvent(ctx, room.ID(), match.EventID(barrier.ID()))
		if refusal, refused := csapi.Refused(err); refused {
			c.Observe("breaks-clients", "/sync: %v", refusal)
			return
		}
		c.Need("membership/remote-joins-us", err)
		alice.LetsVerify(room.ID(), host.ID())
		shown, err := alice.PowerLevels(c.Context(), room.ID())
		if csapi.NoAnswer(err) {
			c.Need("resilience/stays-up", err)
		}
		if err != nil {
			c.Observe("breaks-clients", "GET /state of the power levels: %v", err)
			return
		}
		how := howShown(shown.Get("users"), key, host.ID(), alice.UserID)
		kept, detail := keepsPower(c, alice, room, shown, key)
		if how == "" {
			c.Observe("other", "clients are shown %s; %s", shown.Get("users").Raw, detail)
			return
		}
		c.Observe(how+"-and-"+kept, "clients are shown %s; %s", shown.Get("users").Raw, detail)
	},
})

// howShown says by what power levels show the key: the others are known.
func howShown(users gjson.Result, key string, known ...string) string {
	others := users.Map()
	for _, userID := range known {
		delete(others, userID)
	}
	if len(others) == 0 {
		return "hidden"
	}
	for user := range others {
		switch {
		case len(others) > 1:
		case user == key:
			return "key-shown"
		case strings.HasPrefix(user, "@"):
			return "user-id-shown"
		}
	}
	return ""
}

// keepsPower lets Alice write power levels back with another power for the topic, and says whether the key still has its own.
func keepsPower(c *check.C, alice *stage.User, room *stage.Room, shown gjson.Result, key string) (kept, detail string) {
	content := csapi.Object(shown)
	content["events"] = map[string]any{"m.room.topic": 60}
	written, err := alice.SendState(c.Context(), room.ID(), powerType, "", content)
	if csapi.NoAnswer(err) {
		c.Need("resilience/stays-up", err)
	}
	if err != nil {
		return "lost", fmt.Sprintf("they are refused when they write them back: %v", err)
	}
	users := room.Blaming("routing/reaches-members").AwaitsEvent(written).Get("content.users")
	if users.Get(gjson.Escape(key)).Int() == ghostsPower {
		return "kept", "written back, they still give the key its power"
	}
	return "lost", "written back, they are " + users.Raw
}
