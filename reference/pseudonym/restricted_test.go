package pseudonym

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
)

// auth/restricted-authoriser-is-key, auth/restricted-signed-by-authoriser.
func TestRestrictedJoin(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		alice := w.key(aliceID)
		by := func(value any) []byte {
			return w.member(bobID, "join", w.mapping(bobID), func(content object) { content.set(authorisedVia, value) })
		}
		join := by(alice.Public)
		assert.Error(t, w.r.CheckAuthorised(join), "named, and not signed")
		signed, err := w.r.SignAsAuthoriser(join, alice)
		require.NoError(t, err)
		assert.NoError(t, w.r.CheckAuthorised(signed))
		assert.NoError(t, w.r.CheckSender(signed))
		assert.NoError(t, w.r.CheckAuthorised(w.join(bobID)), "a join that names nobody")

		otherSigned, err := w.r.Sign(join, w.key("@eve:two.test"))
		require.NoError(t, err)
		serverSigned, err := pseudoid.SignEvent(join, w.r.Format(), "one.test", "ed25519:a", w.signer("one.test").Key)
		require.NoError(t, err)
		for name, lie := range map[string][]byte{
			"another's signature": otherSigned,
			"a server's":          serverSigned,
			"a user ID":           by(aliceID),
			"a number":            by(5),
			"null":                by(nil),
			"an empty string":     by(""),
		} {
			assert.Error(t, w.r.CheckAuthorised(lie), name)
		}
		_, err = w.r.SignAsAuthoriser(join, w.key(bobID))
		assert.ErrorContains(t, err, "not the key")
	})
}

// membership/restricted-join: who vouches is a joined own user who may invite.
func TestAuthoriser(t *testing.T) {
	w := newWorld(t, pseudoid.DialectMSC4014)
	d := w.room(aliceID, bobID)
	own := func(userID string) bool { return strings.HasSuffix(userID, ":one.test") }
	alice := w.key(aliceID).Public
	key, ok := Authoriser(d, own, nil, "")
	assert.True(t, ok, "without power levels anybody may invite")
	assert.Equal(t, alice, key)
	_, ok = Authoriser(d, own, []byte(`{"invite":50}`), "")
	assert.False(t, ok)
	_, ok = Authoriser(d, own, toJSON(t, map[string]any{"invite": 50, "users": map[string]int{string(alice): 50}}), "")
	assert.True(t, ok)
	w.learn(d, w.member(aliceID, "leave", nil), 9, true)
	_, ok = Authoriser(d, own, nil, "")
	assert.False(t, ok)

	content, err := AuthoriseJoin([]byte(`{"membership":"join"}`), alice)
	require.NoError(t, err)
	assert.JSONEq(t, `{"membership":"join","join_authorised_via_users_server":"`+string(alice)+`"}`, string(content))
}
