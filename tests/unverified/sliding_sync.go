package unverified

// What clients of sliding sync are sent when a member is verified later.

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// slidingVersions are the unstable names of sliding sync: that of its successor (MSC4186), and the one that MSC4014 speaks of.
var slidingVersions = []string{"org.matrix.simplified_msc3575", "org.matrix.msc3575"}

// slidingSync requests what is new in a room since a position by sliding sync, "" for everything.
func (s *scene) slidingSync(version, roomID, position string) (*csapi.Response, error) {
	query := url.Values{"timeout": {"0"}}
	if position != "" {
		query.Set("pos", position)
	}
	subscription := map[string]any{"required_state": [][]string{{"m.room.member", "*"}}, "timeline_limit": 20}
	return s.Alice.Do(s.C.Context(), http.MethodPost, csapi.Path("_matrix", "client", "unstable", version, "sync"), query, map[string]any{
		"conn_id": "unverified", "lists": map[string]any{}, "room_subscriptions": map[string]any{roomID: subscription},
	})
}

// slidingVersion returns the version of sliding sync that the server has, or the errors of all that it has not.
func (s *scene) slidingVersion() (version string, refusals []string) {
	for _, each := range slidingVersions {
		_, err := s.slidingSync(each, "!none:"+s.ServerName(1), "")
		if err == nil {
			return each, nil
		}
		if csapi.NoAnswer(err) {
			s.C.Need("resilience/stays-up", err)
		}
		refusals = append(refusals, err.Error())
	}
	return "", refusals
}

// Sliding sync clients should have the room invalidated and its state sent again (MSC4014, Changes from MSC1228 6.2).
var _ = check.Register(check.Check{
	Name:     "what sliding sync tells of a later verification",
	Requires: []string{"unverified/sliding-sync"},
	Slow:     swallowingTime,
	Body: func(c *check.C) {
		s := openScene(stage.Open(c, blueprints.OneServer), closesConnections)
		version, refusals := s.slidingVersion()
		if version == "" {
			c.Observe("no-sliding-sync", "%s", strings.Join(refusals, "; "))
			return
		}
		m := s.introduces()
		if m.refused != nil {
			c.Observe(verdict.NoneSeen, "%v", m.refused)
			return
		}
		timeline := s.Alice.Timeline(m.Room.ID())
		ctx, cancel := c.Within(stage.Patience)
		defer cancel()
		shown, err := timeline.Wait(ctx, match.EventID(m.Said.ID()))
		c.Need("unverified/event-accepted", err)
		before, err := s.slidingSync(version, m.Room.ID(), "")
		c.Need("client-view/unmodified-client", err)
		s.revive()
		seen := recovered{claimed: s.unverified.ID(), join: m.Join.ID()}
		s.awaitsVerification(m.Introduction, timeline, shown.Get("sender").String(), &seen)
		if !seen.verified {
			c.Observe(verdict.NoneSeen, "the member was not verified later; tried: %s", strings.Join(seen.tried, "; "))
			return
		}
		after, err := s.slidingSync(version, m.Room.ID(), before.Get("pos").String())
		c.Need("client-view/unmodified-client", err)
		reading, detail := readSliding(after.Get("rooms."+gjson.Escape(m.Room.ID())), seen)
		c.Observe(reading, "%s: %s", version, detail)
	},
})

// readSliding returns the reading from what sliding sync has new of a room after a verification.
func readSliding(room gjson.Result, seen recovered) (reading, detail string) {
	invalidated, resent := room.Get("initial").Bool(), false
	for _, place := range []string{"required_state", "timeline"} {
		for _, event := range room.Get(place).Array() {
			resent = resent || event.Get("event_id").String() == seen.join && event.Get("state_key").String() == seen.claimed
		}
	}
	detail = fmt.Sprintf("initial is %t, the member event with the true user ID is there: %t", invalidated, resent)
	switch {
	case invalidated && resent:
		return "room-invalidated", detail
	case resent:
		return "member-resent", detail
	case !invalidated:
		return "nothing-told", detail
	}
	return "other", detail
}
