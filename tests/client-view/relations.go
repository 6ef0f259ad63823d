package clientview

// Edits, reactions and threads.

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
)

// What servers aggregate depends on who sent the events: they show the same as in any room (MSC4014, hard requirement 1; Matrix
// specification, Forming relationships between events).
func init() {
	for _, from := range []origin{local, remote} {
		features := []feature{
			{"edits", company.bundlesEdit},
			{"reactions", company.listsReaction},
			{"threads", company.bundlesThread},
			{"the list of threads", company.listsThread},
		}
		check.Register(check.Check{
			Name:     "edits, reactions and threads of " + string(from) + " are aggregated",
			Requires: []string{"client-view/threads-and-relations"},
			Path:     string(from),
			Slow:     inVain,
			Body:     func(c *check.C) { works(c, from, nil, features) },
		})
	}
}

// relatedTo is content of an event that is related to another.
func relatedTo(eventID, relation string, more map[string]any) map[string]any {
	relates := map[string]any{"rel_type": relation, "event_id": eventID}
	content := map[string]any{"m.relates_to": relates}
	for name, value := range more {
		content[name] = value
	}
	return content
}

// bundle returns the bundled aggregation of an event, by GET /event.
func (m company) bundle(eventID, relation string) (gjson.Result, error) {
	event, err := m.alice.Event(m.C.Context(), m.roomID, eventID)
	if err != nil {
		return gjson.Result{}, err
	}
	bundled := event.Get(match.Path("unsigned", "m.relations", relation))
	if !bundled.Exists() {
		return bundled, fmt.Errorf("the event bundles no %s: its unsigned is %s", relation, event.Get("unsigned").Raw)
	}
	return bundled, nil
}

// edit is the content of a message that replaces another.
func edit(eventID, text string) map[string]any {
	return relatedTo(eventID, "m.replace", map[string]any{
		"msgtype": "m.text", "body": "* " + text, "m.new_content": map[string]any{"msgtype": "m.text", "body": text},
	})
}

// bundlesEdit edits a message twice: as the one who sent it, which counts, and as somebody else, which does not.
func (m company) bundlesEdit() error {
	said, err := m.says("said to be edited", nil)
	if err != nil {
		return err
	}
	edited, err := m.sends("m.room.message", edit(said, "edited"))
	if err != nil {
		return err
	}
	foreign, err := m.alice.SendEvent(m.C.Context(), m.roomID, "m.room.message", edit(said, "edited by somebody else"))
	if err == nil {
		err = m.alice.SeesEvent(m.roomID, foreign)
	}
	if err != nil {
		return err
	}
	bundled, err := m.bundle(said, "m.replace")
	if err != nil {
		return err
	}
	return errors.Join(
		differs("the event ID of the bundled edit", bundled.Get("event_id"), edited), differs("its sender", bundled.Get("sender"), m.other()),
	)
}

// listed requires the events related to another to be one of the other member.
func (m company) lists(eventID, relation, related string) error {
	path := "/_matrix/client/v1" + csapi.Path("rooms", m.roomID, "relations", eventID, relation)
	answer, err := m.alice.Do(m.C.Context(), http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	return match.Contains("chunk", match.All(match.EventID(related), match.KeyEqual("sender", m.other())))(answer.JSON())
}

func (m company) listsReaction() error {
	said := m.alice.Says(m.roomID, "said to be reacted to")
	relates := map[string]any{"rel_type": "m.annotation", "event_id": said, "key": "👍"}
	reaction, err := m.sends("m.reaction", map[string]any{"m.relates_to": relates})
	if err != nil {
		return err
	}
	return m.lists(said, "m.annotation", reaction)
}

// bundlesThread begins a thread by the other, in which Alice takes part later.
func (m company) bundlesThread() error {
	root, err := m.says("said to be replied to", nil)
	if err != nil {
		return err
	}
	reply, err := m.sends("m.room.message", relatedTo(root, "m.thread", map[string]any{"msgtype": "m.text", "body": "a reply"}))
	if err != nil {
		return err
	}
	bundled, err := m.bundle(root, "m.thread")
	if err != nil {
		return err
	}
	if err := errors.Join(
		differs("the event ID of the latest reply", bundled.Get("latest_event.event_id"), reply),
		differs("its sender", bundled.Get("latest_event.sender"), m.other()),
		differs("the number of replies", bundled.Get("count"), 1),
		differs("that somebody took part who did not", bundled.Get("current_user_participated"), false),
	); err != nil {
		return err
	}
	content := relatedTo(root, "m.thread", map[string]any{"msgtype": "m.text", "body": "another"})
	another, err := m.alice.SendEvent(m.C.Context(), m.roomID, "m.room.message", content)
	if err == nil {
		err = m.alice.SeesEvent(m.roomID, another)
	}
	if err != nil {
		return err
	}
	if bundled, err = m.bundle(root, "m.thread"); err != nil {
		return err
	}
	return errors.Join(
		differs("the number of replies", bundled.Get("count"), 2),
		differs("that somebody took part who replied", bundled.Get("current_user_participated"), true),
		m.lists(root, "m.thread", reply),
	)
}

// listsThread has two threads by the other, in one of which Alice took part.
func (m company) listsThread() error {
	var roots []string
	for range 2 {
		root, err := m.says("said to be replied to", nil)
		if err == nil {
			_, err = m.sends("m.room.message", relatedTo(root, "m.thread", map[string]any{"msgtype": "m.text", "body": "a reply"}))
		}
		if err != nil {
			return err
		}
		roots = append(roots, root)
	}
	content := relatedTo(roots[0], "m.thread", map[string]any{"msgtype": "m.text", "body": "a reply"})
	mine, err := m.alice.SendEvent(m.C.Context(), m.roomID, "m.room.message", content)
	if err == nil {
		err = m.alice.SeesEvent(m.roomID, mine)
	}
	if err != nil {
		return err
	}
	threads := func(include string) ([]string, error) {
		path := "/_matrix/client/v1" + csapi.Path("rooms", m.roomID, "threads")
		answer, err := m.alice.Do(m.C.Context(), http.MethodGet, path, url.Values{"include": {include}}, nil)
		if err != nil {
			return nil, err
		}
		var ids []string
		for _, event := range answer.Get("chunk").Array() {
			ids = append(ids, event.Get("event_id").String())
		}
		return ids, nil
	}
	all, err := threads("all")
	if err != nil {
		return err
	}
	participated, err := threads("participated")
	if err != nil {
		return err
	}
	switch {
	case !slices.Contains(all, roots[0]) || !slices.Contains(all, roots[1]):
		return fmt.Errorf("GET /threads has not all threads: %q", all)
	case !slices.Contains(participated, roots[0]) || slices.Contains(participated, roots[1]):
		return fmt.Errorf("GET /threads?include=participated has %q, wanted %s and not %s", participated, roots[0], roots[1])
	}
	return nil
}
