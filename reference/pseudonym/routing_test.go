package pseudonym

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/reference/pdu"
)

// routing/reaches-members, stops-on-leave, stops-on-kick, stops-on-ban, only-verified, follows-new-mapping.
func TestDestinations(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.dead["dead.test"] = true
	d := w.room(aliceID, bobID, "@carol:three.test", "@dan:dead.test")
	before := d.Entries()
	assert.Equal(t, []string{"one.test", "three.test", "two.test"}, Servers(before))
	assert.Equal(t, []string{"three.test", "two.test"}, w.r.Destinations(before, before, ""))

	w.learn(d, w.member(bobID, "leave", nil), 9, true)
	after := d.Entries()
	assert.Equal(t, []string{"three.test", "two.test"}, w.r.Destinations(before, after, w.key(bobID).Public), "the leave itself is delivered")
	assert.Equal(t, []string{"three.test", "two.test"}, w.r.Destinations(before, after, ""))
	assert.Equal(t, []string{"three.test"}, w.r.Destinations(after, after, ""))

	ban := w.memberBy(w.key(aliceID), "@carol:three.test", "ban", nil)
	w.learn(d, ban, 10, true)
	assert.Empty(t, w.r.Destinations(d.Entries(), d.Entries(), ""))

	w.learn(d, w.member(bobID, "join", w.renamed("@bob:moved.test")), 11, true)
	assert.Equal(t, []string{"moved.test"}, w.r.Destinations(d.Entries(), d.Entries(), ""))
}

// routing/invite-reaches-server, membership/rescind-invite: the invited user's server hears of what becomes of it.
func TestDestinationsOfInvite(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	d := w.room(aliceID)
	before := d.Entries()
	invite := w.memberBy(w.key(aliceID), bobID, "invite", w.mapping(bobID))
	w.learn(d, invite, 2, true)
	assert.Equal(t, []string{"two.test"}, w.r.Destinations(before, d.Entries(), w.key(bobID).Public))
	assert.Empty(t, w.r.Destinations(d.Entries(), d.Entries(), ""), "nothing else goes to who is only invited")
	w.learn(d, w.memberBy(w.key(aliceID), bobID, "leave", nil), 3, true)
	assert.Equal(t, []string{"two.test"}, w.r.Destinations(d.Entries(), d.Entries(), w.key(bobID).Public))
}

// routing/backfill-authorised.
func TestWasInRoom(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.dead["dead.test"] = true
	d := w.room(aliceID, bobID, "@dan:dead.test")
	w.learn(d, w.member(bobID, "leave", nil), 9, true)
	w.learn(d, w.memberBy(w.key(aliceID), "@carol:three.test", "invite", w.mapping("@carol:three.test")), 10, true)
	for server, want := range map[string]bool{"one.test": true, "two.test": true, "three.test": false, "dead.test": false, "four.test": false} {
		assert.Equal(t, want, WasInRoom(d.Entries(), server), server)
	}
	w.dead["dead.test"] = false
	pending := d.Pending()[0]
	d.Settle(pending.Key, pending.Pending.EventID, w.r.Judge(w.join("@dan:dead.test"), w), 12)
	assert.True(t, WasInRoom(d.Entries(), "dead.test"))
}

// routing/alias-servers.
func TestAliasServers(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	w.dead["dead.test"] = true
	d := w.room(aliceID, bobID, "@dan:dead.test")
	for reading, want := range map[Reading][]string{
		"verified-only": {"one.test", "two.test"}, "unproven-included": {"one.test", "dead.test", "two.test"}, "own-only": {"one.test"},
	} {
		w.set("routing/alias-servers", reading)
		assert.Equal(t, want, w.r.AliasServers(d.Entries()), reading)
	}
}
