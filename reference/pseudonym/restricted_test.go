package pseudonym

import (
	"testing"

	"msc4014/reference/pdu"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// auth/restricted-authoriser-is-key, auth/restricted-signed-by-authoriser.
func TestRestrictedJoin(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		alice := w.key(aliceID)
		content, err := AuthoriseJoin([]byte(`{"membership":"join"}`), alice.Public)
		require.NoError(t, err)
		assert.JSONEq(t, `{"membership":"join","join_authorised_via_users_server":"`+string(alice.Public)+`"}`, string(content))
		by := func(value any) *pdu.Event {
			return w.member(bobID, "join", w.mapping(bobID), func(content object) { content.set(AuthoriserField, value) })
		}
		signed, err := w.r.SignAsAuthoriser(by(alice.Public), alice)
		require.NoError(t, err)
		assert.NoError(t, w.r.CheckSignedBy(signed, alice.Public))
		assert.NoError(t, w.r.CheckSender(signed))
		for _, named := range []any{w.key(bobID).Public, aliceID, 5, nil, ""} {
			_, err = w.r.SignAsAuthoriser(by(named), alice)
			assert.ErrorContains(t, err, "not the key", named)
		}
	})
}
