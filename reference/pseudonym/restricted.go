package pseudonym

// This file lets a member authorise a restricted join (Matrix specification, room version 8, "Restricted rooms"). Who may
// authorise one, and that the event is signed by that member, is for the authorisation rules to check (reference/rules).

import (
	"fmt"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// AuthoriserField is the field in the content of a join that names the authorising member.
const AuthoriserField = "join_authorised_via_users_server"

// AuthoriseJoin sets the authorising member in the content of a join: join_authorised_via_users_server, a user ID in
// other rooms, is a sender key here (MSC4014, Additional notes).
func AuthoriseJoin(content []byte, by identity.SenderKey) ([]byte, error) {
	o, err := parseObject(content, "the content of a join")
	if err != nil {
		return nil, err
	}
	o.set(AuthoriserField, by)
	return o.raw(), nil
}

// SignAsAuthoriser adds the signature of the authorising member to a join. The event must be signed by the same key as
// the field has (MSC4014, Additional notes), in the place of the server which owns a user ID.
func (r Rules) SignAsAuthoriser(join *pdu.Event, key identity.KeyPair) (*pdu.Event, error) {
	if named := join.Content(AuthoriserField).Str; named != string(key.Public) {
		return nil, fmt.Errorf("authorising a join: its %s is %q, not the key %s that would sign", AuthoriserField, named, key.Public)
	}
	return r.sign(join, key)
}
