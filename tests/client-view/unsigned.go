package clientview

// User IDs in what servers add to events, and keys where they must not be.

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/foreign"
	"msc4014/helpers/pseudoid"
)

// judgeUnsigned judges what the unsigned part of an event has. None of it needs to be there.
func judgeUnsigned(v viewed, shown gjson.Result, original federation.Event) error {
	part := shown.Get("unsigned")
	if previous, ok := v.replaced(original); ok {
		if err := v.judgeReplaced(part, previous); err != nil {
			return err
		}
	}
	whole, err := foreign.Parse([]byte(cmp.Or(part.Raw, "{}")))
	if err != nil {
		return err
	}
	if err := v.judgeNested(whole); err != nil {
		return err
	}
	if found := v.keyIn(whole, func(string) bool { return false }); found != "" {
		return fmt.Errorf("has in unsigned %s", found)
	}
	return nil
}

// judgeReplaced judges what unsigned says of the state that an event replaced.
func (v viewed) judgeReplaced(part gjson.Result, previous federation.Event) error {
	if sender := part.Get("prev_sender"); sender.Exists() {
		if err := v.isBy(previous.Sender(), sender, "prev_sender"); err != nil {
			return err
		}
	}
	if id := part.Get("replaces_state"); id.Exists() && id.String() != previous.ID() {
		return fmt.Errorf("has replaces_state %q, wanted %q", id.String(), previous.ID())
	}
	content := part.Get("prev_content")
	if previous.Type() != powerType || !content.Exists() {
		return nil
	}
	if err := v.judgePower(content.Get("users"), previous); err != nil {
		return fmt.Errorf("in prev_content %w", err)
	}
	return nil
}

// judgeNested judges the events in the unsigned part of another: redacted_because, invite_room_state, bundled relations.
func (v viewed) judgeNested(part foreign.Value) (err error) {
	part.Walk(func(at foreign.Place, value foreign.Value) bool {
		sender := value.Get("sender")
		if err != nil || !sender.Exists() || !value.Get("type").Exists() {
			return err == nil
		}
		event, known := v.event(value.Get("event_id").String())
		switch {
		case known:
			if wanted, _ := v.by(event.Sender()); !wanted.isShownAs(sender.String()) {
				err = fmt.Errorf("has in unsigned.%s %s with the sender %q, wanted %q", at.String(), v.describe(event), sender.String(), wanted.userID)
			}
		case !v.known(sender.String()):
			err = fmt.Errorf("has in unsigned.%s the sender %q, who is nobody in the room", at.String(), sender.String())
		}
		return err == nil
	})
	return err
}

// judgedSeparately are the members of an answer in which other facts look for user IDs, and in which keys may be: authorisers are keys
// (MSC4014, Additional notes). Hashes and signatures are not a user's.
var judgedSeparately = map[string]bool{
	"sender": true, "state_key": true, "creator": true, "users": true, "unsigned": true, "prev_content": true, "hashes": true, "signatures": true,
}

// findKeys says where an answer has a key of somebody in the room.
func findKeys(v viewed, body []byte) []string {
	answer, err := foreign.Parse(body)
	if err != nil {
		return nil // the client reports that it is unusable
	}
	if found := v.keyIn(answer, func(name string) bool { return judgedSeparately[name] }); found != "" {
		return []string{"the answer has " + found}
	}
	return nil
}

// keyIn says where a value has a key of somebody in the room, as a value or as a member's name, "" for nowhere.
func (v viewed) keyIn(value foreign.Value, skip func(name string) bool) (found string) {
	value.Walk(func(at foreign.Place, value foreign.Value) bool {
		name := at.Name().String()
		switch name {
		case "sender_key", pseudoid.MappingField, "join_authorised_via_users_server":
			return false
		}
		if found != "" || skip(name) {
			return false
		}
		if of, has := v.keyWithin(name); has {
			found = fmt.Sprintf("the key of %s as a member of %s", of.kind, cmp.Or(at.Parent(), "it"))
		} else if of, has := v.keyWithin(value.String()); value.IsString() && has {
			found = fmt.Sprintf("the key of %s at %s", of.kind, cmp.Or(at.String(), "its top"))
		}
		return found == ""
	})
	return found
}

// keyWithin returns the member whose key is in a text.
func (v viewed) keyWithin(text string) (member, bool) {
	const keyLength = 43
	if len(text) < keyLength {
		return member{}, false
	}
	for _, m := range v.members {
		if strings.Contains(text, m.key) {
			return m, true
		}
	}
	return member{}, false
}
