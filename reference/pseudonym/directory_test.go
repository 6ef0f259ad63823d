package pseudonym

import (
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

const unverifiedBob = "@_unverified_bob_two.test:one.test"

// renamed returns a mapping of bob's key to another user ID of the same server, validly signed.
func (w *world) renamed(userID string) []byte {
	domain, err := identity.UserIDDomain(userID)
	require.NoError(w.t, err)
	signed, err := pdu.SignJSON(pdu.UnsignedMapping(w.r.Dialect, w.key(bobID).Public, userID), domain, "ed25519:a", w.signer(domain).Key)
	require.NoError(w.t, err)
	return signed
}

// Which mapping counts: mapping/latest-wins, older-does-not-replace, pending-keeps-verified, no-hijack, unverified-on-*.
func TestLearn(t *testing.T) {
	const robertID = "@robert:two.test"
	type step struct {
		event   func(w *world) *pdu.Event
		current bool
	}
	join := step{func(w *world) *pdu.Event { return w.join(bobID) }, true}
	renamed := func(membership string, current bool) step {
		return step{func(w *world) *pdu.Event { return w.member(bobID, membership, w.renamed(robertID)) }, current}
	}
	forged := func(membership string) step {
		return step{func(w *world) *pdu.Event {
			return w.member(bobID, membership, w.signedBy(bobID, "liar.test", "ed25519:a"))
		}, true}
	}
	dies := step{func(w *world) *pdu.Event { w.dead["two.test"] = true; return nil }, false}
	for _, c := range []struct {
		requirement, name string
		steps             []step
		shown             string
		pending           bool
	}{
		{"mapping/latest-wins", "a newer one replaces it", []step{join, renamed("join", true)}, robertID, false},
		{"mapping/older-does-not-replace", "a late older one does not", []step{join, renamed("join", false)}, bobID, false},
		{"mapping/older-does-not-replace", "it does where nothing is known", []step{renamed("join", false)}, robertID, false},
		{"mapping/pending-keeps-verified", "verified before, pending now", []step{join, dies, renamed("join", true)}, bobID, true},
		{"sender-key/kept-on-profile-change", "the same again, which needs no keys", []step{join, dies, join}, bobID, false},
		{"unverified/placeholder", "never verified", []step{dies, join}, unverifiedBob, true},
		{"mapping/older-does-not-replace", "an older pending one does not become pending", []step{join, dies, renamed("join", false)}, bobID, false},
		{"mapping/latest-wins", "a newer one cancels a pending one", []step{dies, join, renamed("join", true)}, "@_unverified_robert_two.test:one.test", true},
		{"mapping/unverified-on-leave", "a leave changes nothing", []step{join, renamed("leave", true)}, bobID, false},
		{"mapping/unverified-on-ban", "nor does a ban", []step{join, renamed("ban", true)}, bobID, false},
		{"mapping/unverified-on-leave", "a forged one", []step{join, forged("leave")}, bobID, false},
		{"mapping/unverified-on-knock", "a forged one", []step{join, forged("knock")}, bobID, false},
		{"mapping/unverified-on-invite", "a forged one", []step{join, forged("invite")}, bobID, false},
		{"redaction/leave-and-mapping", "a leave introduces who was never seen", []step{renamed("leave", true)}, robertID, false},
		{"redaction/mapping-stays", "a redacted join takes nothing away", []step{join, {func(w *world) *pdu.Event {
			redacted, err := w.join(bobID).Redacted()
			require.NoError(w.t, err)
			return redacted
		}, true}}, bobID, false},
	} {
		t.Run(c.requirement+" "+c.name, func(t *testing.T) {
			w := newWorld(t, pdu.DialectMSC4014)
			d := NewDirectory(w.r)
			for i, step := range c.steps {
				if event := step.event(w); event != nil {
					w.learn(d, event, int64(i), step.current)
				}
			}
			assert.Equal(t, c.shown, d.UserID(w.key(bobID).Public))
			assert.Equal(t, c.pending, len(d.Pending()) == 1)
			stored := toJSON(t, d.Entries()) // resilience/restart
			var entries []Entry
			require.NoError(t, json.Unmarshal(stored, &entries))
			assert.Equal(t, d.Entries(), NewDirectory(w.r, entries...).Entries())
		})
	}
}

// unverified/verified-later, later-events-true, earlier-events, placeholder, claimed-id-hidden.
func TestSettle(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.dead["two.test"] = true
	d := w.room(aliceID)
	key := w.key(bobID).Public
	seen := w.learn(d, w.join(bobID), 5, true)
	assert.Empty(t, seen.Resend, "the event reaches clients by itself")
	require.Len(t, d.Pending(), 1)
	eventID := d.Pending()[0].Pending.EventID
	_, ok := d.Key(bobID)
	assert.False(t, ok)
	found, ok := d.Key(unverifiedBob)
	assert.True(t, ok)
	assert.Equal(t, key, found)

	still := d.Settle(key, eventID, w.r.Judge(w.join(bobID), w), 8)
	assert.Empty(t, still.Resend)
	assert.Len(t, d.Pending(), 1)

	w.dead["two.test"] = false
	right := w.r.Judge(w.join(bobID), w)
	assert.Empty(t, d.Settle(key, "$another", right, 9).Resend, "another event's verification was cancelled")
	change := d.Settle(key, eventID, right, 9)
	assert.Equal(t, eventID, change.Resend)
	assert.Equal(t, bobID, d.UserID(key))
	assert.Empty(t, d.Pending())

	assert.Equal(t, bobID, d.At(6).UserID(key))
	w.set("unverified/earlier-events", "placeholder-stays")
	d = NewDirectory(w.r, d.Entries()...)
	assert.Equal(t, unverifiedBob, d.At(6).UserID(key))
	assert.Equal(t, bobID, d.At(10).UserID(key))
	assert.Equal(t, aliceID, d.At(1).UserID(w.key(aliceID).Public))
}

// mapping/bad-signature-rejected, later: what turns out wrong is not tried again, and the claim never shows.
func TestSettleWrong(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.dead["two.test"] = true
	d := w.room(bobID)
	pending := d.Pending()[0].Pending
	assert.Empty(t, d.Settle(w.key(bobID).Public, pending.EventID, Judgement{Verdict: Wrong, Cause: BadSignature}, 9).Resend)
	assert.Equal(t, unverifiedBob, d.UserID(w.key(bobID).Public))
	assert.Empty(t, d.Pending())
}

// redaction/deactivation.
func TestPurge(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d, key := w.room(bobID), w.key(bobID).Public
	assert.NotEmpty(t, d.Purge(key).Resend)
	assert.Equal(t, w.r.PlaceholderOfKey(key), d.UserID(key))
	assert.Empty(t, Servers(d.Entries()))
	assert.True(t, d.Purged(key))
	for _, membership := range []string{"leave", "ban", "leave", "join"} { // whoever writes it, with the mapping or without
		w.learn(d, w.member(bobID, membership, w.mapping(bobID)), 9, true)
		assert.Equal(t, w.r.PlaceholderOfKey(key), d.UserID(key), membership)
	}
	w.set("redaction/deactivation", "mapping-stays")
	d = w.room(bobID)
	assert.Empty(t, d.Purge(key).Resend)
	assert.Equal(t, bobID, d.UserID(key))
}

// redaction/leave-and-mapping: to who was there when the member left, and to who came later and fetches its old join.
func TestLeft(t *testing.T) {
	for reading, shown := range map[Reading]struct{ present, later bool }{
		"user-id-for-all": {true, true}, "user-id-for-present": {true, false}, "user-id-gone": {false, false},
	} {
		t.Run(string(reading), func(t *testing.T) {
			w := newWorld(t, pdu.DialectMSC4014)
			w.set("redaction/leave-and-mapping", reading)
			key := w.key(bobID).Public
			name := func(asUser bool) string {
				if asUser {
					return bobID
				}
				return w.r.PlaceholderOfKey(key)
			}
			leave := Seen{Key: key, EventID: "$leave", Membership: "leave", Current: true, Position: 8, Judgement: Judgement{Cause: Missing}}
			there, later := w.room(bobID), NewDirectory(w.r)
			there.Learn(leave)
			assert.Equal(t, name(shown.present), there.UserID(key))
			later.Learn(leave)
			w.learn(later, w.join(bobID), 3, false)
			assert.Equal(t, name(shown.later), later.UserID(key))
			kicked, mapped := NewDirectory(w.r), leave
			mapped.Judgement, mapped.ByOther = w.r.Judge(w.member(bobID, "leave", w.mapping(bobID)), w), true
			kicked.Learn(mapped)
			assert.Equal(t, name(shown.later), kicked.UserID(key), "the kick has a mapping")
		})
	}
}

// mapping/two-keys-one-user, sender-key/rotation, sender-key/ban-evaded-by-new-key.
func TestSecondKey(t *testing.T) {
	for _, c := range []struct {
		reading                   Reading
		key                       string // whose key the user is known by
		firstShown, secondShown   bool
		secondName                string
		admits, admitsAfterTheBan bool
	}{
		{"newer-shown", "second", false, true, bobID, true, false},
		{"older-shown", "first", true, false, bobID, true, false},
		{"both-shown", "first", true, true, bobID, true, false},
		{"placeholder", "first", true, true, unverifiedBob, true, false},
		{"refused", "first", true, false, bobID, false, false},
	} {
		t.Run(string(c.reading), func(t *testing.T) {
			w := newWorld(t, pdu.DialectMSC4014)
			w.set("mapping/two-keys-one-user", c.reading)
			d := w.room(aliceID, bobID)
			first := w.key(bobID).Public
			w.keys[bobID] = identity.GenerateKeyPair()
			second := w.key(bobID).Public
			assert.Equal(t, c.admits, d.Admits(bobID, second))
			w.learn(d, w.join(bobID), 7, true)
			key, ok := d.Key(bobID)
			require.True(t, ok)
			assert.Equal(t, map[string]identity.SenderKey{"first": first, "second": second}[c.key], key)
			assert.Equal(t, c.firstShown, d.Shown(first))
			assert.Equal(t, c.secondShown, d.Shown(second))
			assert.Equal(t, c.secondName, d.UserID(second))

			d.Learn(Seen{Key: first, EventID: "$ban", Membership: "ban", Current: true, Position: 8, Judgement: Judgement{Cause: Missing}})
			assert.Equal(t, c.admitsAfterTheBan, d.Admits(bobID, second))
			assert.True(t, d.Admits(bobID, first) || c.reading == "refused", "the ban of a key is for the authorisation rules to judge")
			key, _ = d.Key(bobID)
			if c.reading == "placeholder" {
				assert.Equal(t, first, key, "a name once given stays")
			} else {
				assert.Equal(t, second, key, "a present member comes first")
			}
		})
	}
}

// mapping/two-keys-one-user, in a room that the server enters: it learns of all members at one position, oldest first.
func TestSecondKeyAtOnePosition(t *testing.T) {
	for range 8 { // whichever key is spelled first
		w := newWorld(t, pdu.DialectMSC4014)
		d := NewDirectory(w.r)
		w.learn(d, w.join(bobID), 7, true)
		w.keys[bobID] = identity.GenerateKeyPair()
		w.learn(d, w.join(bobID), 7, true)
		key, _ := d.Key(bobID)
		assert.Equal(t, w.key(bobID).Public, key)
	}
}

// unverified/requests-stay-home: a client may still have the placeholder of a member that has been verified since.
func TestKeyOfFormerPlaceholder(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.dead["two.test"] = true
	d := w.room(bobID)
	w.dead["two.test"] = false
	w.learn(d, w.join(bobID), 7, true)
	require.Equal(t, bobID, d.UserID(w.key(bobID).Public))
	key, ok := d.Key(unverifiedBob)
	assert.True(t, ok)
	assert.Equal(t, w.key(bobID).Public, key)

	_, ok = w.room(bobID).Key("")
	assert.False(t, ok, "a member that never had a placeholder")
}

// mapping/latest-wins: a newer mapping that will never be verified cancels the verification of an earlier one.
func TestExpiredCancelsPending(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.dead["two.test"] = true
	d := w.room(bobID)
	require.Len(t, d.Pending(), 1)
	w.dead["two.test"], w.validTo["two.test"] = false, testTime-1
	w.learn(d, w.member(bobID, "join", w.renamed("@robert:two.test")), 7, true)
	assert.Empty(t, d.Pending())
	assert.Equal(t, "@_unverified_robert_two.test:one.test", d.UserID(w.key(bobID).Public))
}

// mapping/unproven-handling, "accepted-hidden": in the state, and shown to nobody.
func TestConcealed(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d := NewDirectory(w.r)
	d.Learn(Seen{Key: w.key(bobID).Public, Membership: "join", Current: true, Judgement: Judgement{Cause: Unsigned}, Concealed: true})
	assert.False(t, d.Shown(w.key(bobID).Public))
	assert.False(t, d.Shown("unknown"))
}

// Clients read while events arrive.
func TestDirectoryTogether(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d := w.room(aliceID)
	join := w.r.Judge(w.join(bobID), w)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			d.Learn(Seen{Key: w.keys[bobID].Public, EventID: "$e", Membership: "join", Current: true, Position: int64(i), Judgement: join})
			d.Key(bobID)
			d.At(3).UserID(w.keys[bobID].Public)
			d.Shown(w.keys[bobID].Public)
		})
	}
	wait.Wait()
	assert.Equal(t, bobID, d.UserID(w.key(bobID).Public))
}
