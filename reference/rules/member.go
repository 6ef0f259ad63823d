// This file has the authorisation rules for member events (rule 4). They decide by key, and never look at
// `mxid_mapping`: which user ID a key claims does not matter to what the key may do, and a redacted event, which has
// lost its mapping, must still be allowed.

package rules

import (
	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// memberAllowed is rule 4.
func (r Rules) memberAllowed(e *pdu.Event, state State) error {
	target, isState := e.StateKey()
	if !isState {
		return reject("4.1", "a member event has a state key")
	}
	if e.Content("membership").Type != gjson.String {
		return reject("4.1", "the content has no membership")
	}
	if err := r.checkMemberKey(e.Format(), target); err != nil {
		return reject("4.1", "the state key: %v", err)
	}
	if err := r.checkAuthoriser(e); err != nil {
		return err
	}
	switch e.Membership() {
	case "join":
		return r.joinAllowed(e, target, state)
	case "invite":
		return inviteAllowed(e, target, state)
	case "leave":
		return leaveAllowed(e, target, state)
	case "ban":
		return banAllowed(e, target, state)
	case "knock":
		if r.bannedInOtherSpelling(e, state) {
			return reject("4.7.4", "the sender key is banned in another spelling")
		}
		return knockAllowed(e, target, state)
	}
	return reject("4.8", "the membership %q is unknown", e.Membership())
}

// checkAuthoriser is rule 4.2: "`join_authorised_via_users_server` is currently a user ID, which will now be a
// `sender_key`. The clause: 'the event must be signed by the server which owns the user ID in the field' would change
// to: 'the event must be signed by the same key as this field'" (MSC4014, Additional notes). In ordinary rooms the
// server's signature was checked on receipt.
func (r Rules) checkAuthoriser(e *pdu.Event) error {
	authoriser := e.Content(authoriserField)
	if !authoriser.Exists() || !e.Format().Pseudonymous {
		return nil
	}
	if err := r.Pseudonym.CheckSignedBy(e, identity.SenderKey(authoriser.Str)); err != nil {
		return reject("4.2.1", "%s: %v", authoriserField, err)
	}
	return nil
}

// joinAllowed is rule 4.3. In pseudonymous rooms 4.3.2 comes before 4.3.1: there nobody else may join the creator's
// key, not even as the first event of the room.
func (r Rules) joinAllowed(e *pdu.Event, target string, state State) error {
	own := e.Sender() == target
	if !own && e.Format().Pseudonymous {
		return reject("4.3.2", "the state key is not the sender key")
	}
	create := state.Create()
	if len(e.PrevEvents()) == 1 && e.PrevEvents()[0] == create.ID() && target == creator(create) {
		return nil // 4.3.1
	}
	if !own {
		return reject("4.3.2", "the state key is not the sender")
	}
	membership := state.Membership(e.Sender())
	if membership == "ban" {
		return reject("4.3.3", "the sender is banned")
	}
	if r.bannedInOtherSpelling(e, state) {
		return reject("4.3.3", "the sender key is banned in another spelling")
	}
	invited := membership == "invite" || membership == "join"
	rule := state.JoinRule()
	switch rule {
	case "invite", "knock":
		if invited {
			return nil
		}
		return reject("4.3.4", "the join rule is %q and the sender's membership %q", rule, membership)
	case "restricted", "knock_restricted":
		if invited {
			return nil
		}
		return authoriserAllowed(e, state)
	case "public":
		return nil
	}
	return reject("4.3.7", "the join rule is %q", rule)
}

// authoriserAllowed is rule 4.3.5.2: the authoriser must be "a user with sufficient permission to invite other users",
// so it must be joined (4.4.2) and have the power level (4.4.4).
func authoriserAllowed(e *pdu.Event, state State) error {
	authoriser := e.Content(authoriserField).Str
	if authoriser == "" {
		return reject("4.3.5.2", "the join rule is %q, the sender is not invited, and nobody authorises the join", state.JoinRule())
	}
	if membership := state.Membership(authoriser); membership != "join" {
		return reject("4.3.5.2", "the membership of %s, who authorises the join, is %q", authoriser, membership)
	}
	levels := state.PowerLevels()
	if power, invite := levels.Of(authoriser), levels.For("invite"); power < invite {
		return reject("4.3.5.2", "the power level of %s, who authorises the join, is %d, to invite takes %d", authoriser, power, invite)
	}
	return nil
}

// inviteAllowed is rule 4.4.
func inviteAllowed(e *pdu.Event, target string, state State) error {
	if e.Content("third_party_invite").Exists() {
		return thirdPartyInviteAllowed(e, target, state)
	}
	if membership := state.Membership(e.Sender()); membership != "join" {
		return reject("4.4.2", "the sender's membership is %q", membership)
	}
	if membership := state.Membership(target); membership == "join" || membership == "ban" {
		return reject("4.4.3", "the membership of the invited is %q", membership)
	}
	levels := state.PowerLevels()
	if power, invite := levels.Of(e.Sender()), levels.For("invite"); power < invite {
		return reject("4.4.5", "the sender's power level is %d, to invite takes %d", power, invite)
	}
	return nil
}

// thirdPartyInviteAllowed is rule 4.4.1. In pseudonymous rooms `mxid` never matches the state key, which is not a user ID:
// the proposal does not say what becomes of third-party invites, and by the letter they cannot be redeemed.
func thirdPartyInviteAllowed(e *pdu.Event, target string, state State) error {
	if state.Membership(target) == "ban" {
		return reject("4.4.1.1", "the invited is banned")
	}
	signed := e.Content("third_party_invite").Map()["signed"]
	if !signed.IsObject() {
		return reject("4.4.1.2", "the third-party invite has nothing signed")
	}
	mxid, token := signed.Map()["mxid"], signed.Map()["token"]
	if mxid.Type != gjson.String || token.Type != gjson.String {
		return reject("4.4.1.3", "what is signed has no mxid or no token")
	}
	if mxid.String() != target {
		return reject("4.4.1.4", "the mxid %q is not the state key", mxid.String())
	}
	offer := state.Get(thirdPartyInviteType, token.String())
	if offer == nil {
		return reject("4.4.1.5", "there is no third-party invite with that token")
	}
	if offer.Sender() != e.Sender() {
		return reject("4.4.1.6", "somebody else sent the third-party invite")
	}
	for _, encoded := range invitePublicKeys(offer) {
		key, err := identity.DecodeBase64(encoded)
		if err != nil || len(key) != 32 {
			continue
		}
		for entity, signatures := range signed.Map()["signatures"].Map() {
			for keyID := range signatures.Map() {
				if pdu.VerifyJSON([]byte(signed.Raw), entity, keyID, key) == nil {
					return nil
				}
			}
		}
	}
	return reject("4.4.1.8", "no signature is by a public key of the third-party invite")
}

// invitePublicKeys returns the public keys of an m.room.third_party_invite event, in base64.
func invitePublicKeys(offer *pdu.Event) []string {
	keys := []string{offer.Content("public_key").Str}
	for _, key := range offer.Content("public_keys").Array() {
		keys = append(keys, key.Map()["public_key"].Str)
	}
	return keys
}

// leaveAllowed is rule 4.5.
func leaveAllowed(e *pdu.Event, target string, state State) error {
	own := state.Membership(e.Sender())
	if e.Sender() == target {
		if own == "invite" || own == "join" || own == "knock" {
			return nil
		}
		return reject("4.5.1", "the sender's membership is %q", own)
	}
	if own != "join" {
		return reject("4.5.2", "the sender's membership is %q", own)
	}
	levels := state.PowerLevels()
	power, ofTarget := levels.Of(e.Sender()), levels.Of(target)
	if ban := levels.For("ban"); state.Membership(target) == "ban" && power < ban {
		return reject("4.5.3", "the sender's power level is %d, to unban takes %d", power, ban)
	}
	if kick := levels.For("kick"); power < kick || ofTarget >= power {
		return reject("4.5.5", "the sender's power level is %d, the target's %d, to kick takes %d", power, ofTarget, kick)
	}
	return nil
}

// banAllowed is rule 4.6.
func banAllowed(e *pdu.Event, target string, state State) error {
	if membership := state.Membership(e.Sender()); membership != "join" {
		return reject("4.6.1", "the sender's membership is %q", membership)
	}
	levels := state.PowerLevels()
	power, ofTarget := levels.Of(e.Sender()), levels.Of(target)
	if ban := levels.For("ban"); power < ban || ofTarget >= power {
		return reject("4.6.3", "the sender's power level is %d, the target's %d, to ban takes %d", power, ofTarget, ban)
	}
	return nil
}

// knockAllowed is rule 4.7.
func knockAllowed(e *pdu.Event, target string, state State) error {
	if rule := state.JoinRule(); rule != "knock" && rule != "knock_restricted" {
		return reject("4.7.1", "the join rule is %q", rule)
	}
	if e.Sender() != target {
		return reject("4.7.2", "the state key is not the sender")
	}
	switch membership := state.Membership(e.Sender()); membership {
	case "ban", "invite", "join":
		return reject("4.7.4", "the sender's membership is %q", membership)
	}
	return nil
}
