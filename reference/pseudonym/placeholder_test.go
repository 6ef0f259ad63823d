package pseudonym

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

func nobody(string) bool { return false }

// unverified/placeholder, unverified/no-raw-key-shown, unverified/placeholder-form.
func TestPlaceholder(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	key := w.key(bobID).Public
	long := "@" + strings.Repeat("b", 240) + ":two.test"
	for _, c := range []struct {
		reading      Reading
		userID, want string
	}{
		{"legal-form", bobID, unverifiedBob},
		{"to-the-letter", bobID, unverifiedBob},
		{"no-placeholder", bobID, unverifiedBob},
		{"legal-not-unique", bobID, unverifiedBob},
		{"legal-form", "@bob:two.test:8448", "@_unverified_bob_two.test=3a8448:one.test"},
		{"legal-form", "@bob:[::1]:8448", "@_unverified_bob_=5b=3a=3a1=5d=3a8448:one.test"},
		{"to-the-letter", "@bob:two.test:8448", "@_unverified_bob_two.test:8448:one.test"},
		{"legal-not-unique", "@bob:two.test:8448", "@_unverified_bob_two.test_8448:one.test"},
		{"no-placeholder", "@bob:two.test:8448", ""},
		{"no-placeholder", long, ""},
		{"legal-form", "nonsense", w.r.PlaceholderOfKey(key)},
	} {
		w.set("unverified/placeholder-form", c.reading)
		assert.Equal(t, c.want, w.r.Placeholder(c.userID, key, nobody), "%s %s", c.reading, c.userID)
	}
	for _, reading := range []Reading{"legal-form", "legal-not-unique"} {
		w.set("unverified/placeholder-form", reading)
		assert.NoError(t, identity.CheckUserID(w.r.Placeholder(long, key, nobody)), reading)
	}
	w.set("unverified/placeholder-form", "legal-form")
	other := w.key(aliceID).Public
	second := w.r.Placeholder(bobID, other, func(userID string) bool { return userID == unverifiedBob })
	assert.NotEqual(t, unverifiedBob, second)
	assert.NoError(t, identity.CheckUserID(second))
	assert.NotEqual(t, w.r.Placeholder(long, key, nobody), w.r.Placeholder("@"+strings.Repeat("b", 241)+":two.test", key, nobody))
	assert.NoError(t, identity.CheckUserID(w.r.PlaceholderOfKey(key)))
	assert.NotContains(t, w.r.PlaceholderOfKey(key), string(key))
}

// unverified/placeholder-form: two who claim one user ID have a name each, and keep it.
func TestPlaceholdersAreUnique(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.dead["two.test"] = true
	d := w.room(bobID)
	first := w.key(bobID).Public
	w.keys[bobID] = identity.GenerateKeyPair()
	w.learn(d, w.join(bobID), 4, true)
	assert.Equal(t, unverifiedBob, d.UserID(first))
	assert.NotEqual(t, unverifiedBob, d.UserID(w.key(bobID).Public))
	assert.Contains(t, d.UserID(w.key(bobID).Public), "@_unverified_")
}

// unverified/namespace.
func TestPlaceholderNames(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	assert.False(t, w.r.MayRegister("_unverified_bob"))
	assert.True(t, w.r.MayRegister("unverified"))
	w.set("unverified/namespace", "free")
	assert.True(t, w.r.MayRegister("_unverified_bob"))
}
