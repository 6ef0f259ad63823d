package pseudonym

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
)

// mapping/names-key, names-user, signed-by-users-server.
func TestNewMapping(t *testing.T) {
	bothDialects(t, func(t *testing.T, w *world) {
		mapping, err := pdu.ParseMapping(w.mapping(aliceID))
		require.NoError(t, err)
		assert.Equal(t, w.r.Dialect, mapping.Dialect)
		assert.Equal(t, w.key(aliceID).Public, mapping.Key)
		assert.Equal(t, aliceID, mapping.UserID)
		_, err = w.r.NewMapping(w.key(bobID).Public, bobID, w.signer("one.test"))
		assert.ErrorContains(t, err, "for which one.test cannot sign")
	})
}

// mapping/in-creator-join, in-local-join, in-remote-join, in-invite, in-profile-change, in-leave-ban-knock.
func TestMemberContent(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	for _, c := range []struct {
		reading    Reading
		membership string
		byMember   bool
		carries    bool
	}{
		{"own-only", "join", true, true}, {"none", "join", true, true},
		{"own-only", "invite", false, true}, {"none", "invite", false, true},
		{"own-only", "leave", true, true}, {"own-only", "leave", false, false}, {"own-only", "ban", false, false}, {"own-only", "knock", true, true},
		{"none", "leave", true, false}, {"none", "knock", true, false}, {"none", "ban", false, false},
		{"all", "leave", false, true}, {"all", "ban", false, true}, {"all", "knock", true, true},
	} {
		t.Run(fmt.Sprintf("%s %s %v", c.reading, c.membership, c.byMember), func(t *testing.T) {
			w.set("mapping/in-leave-ban-knock", c.reading)
			content, err := w.r.MemberContent([]byte(`{"membership":"`+c.membership+`","mxid_mapping":"forged"}`), w.mapping(aliceID), c.byMember)
			require.NoError(t, err)
			assert.Equal(t, c.carries, strings.Contains(string(content), `"user_id"`))
			assert.NotContains(t, string(content), "forged")
		})
	}
}

// Each way in which a mapping can be wrong or unverified: mapping/missing-not-honoured, unsigned-not-honoured,
// foreign-signature-not-honoured, unknown-key-id-not-honoured, other-key-not-honoured, malformed-not-honoured,
// bad-signature-rejected, no-claim-of-local-user, no-claim-of-third-user, unverified/event-accepted.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		requirement string
		name        string
		event       func(w *world) *pdu.Event
		verdict     Verdict
		cause       Cause
	}{
		{"mapping/signed-by-users-server", "right", func(w *world) *pdu.Event { return w.join(bobID) }, Verified, NoCause},
		{"mapping/missing-not-honoured", "missing", func(w *world) *pdu.Event { return w.member(bobID, "join", nil) }, Wrong, Missing},
		{"mapping/missing-not-honoured", "missing, and little else there", func(w *world) *pdu.Event {
			return w.event(w.key(bobID), memberEvent, string(w.key(bobID).Public), []byte(`{"membership":"join"}`))
		}, Wrong, Missing},
		{"mapping/unsigned-not-honoured", "no signatures", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.altered(w.mapping(bobID), "signatures", nil))
		}, Wrong, Unsigned},
		{"mapping/unsigned-not-honoured", "empty signatures", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.altered(w.mapping(bobID), "signatures", object{}))
		}, Wrong, Unsigned},
		{"mapping/foreign-signature-not-honoured", "signed by another server", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.signedBy(bobID, "liar.test", "ed25519:a"))
		}, Wrong, ForeignSigned},
		{"mapping/no-claim-of-local-user", "claims a local user", func(w *world) *pdu.Event {
			mapping := pdu.UnsignedMapping(w.r.Dialect, w.key(bobID).Public, aliceID)
			signed, err := pdu.SignJSON(mapping, "two.test", "ed25519:a", w.signer("two.test").Key)
			require.NoError(w.t, err)
			return w.member(bobID, "join", signed)
		}, Wrong, ForeignSigned},
		{"mapping/unknown-key-id-not-honoured", "unknown key ID", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.signedBy(bobID, "two.test", "ed25519:b"))
		}, Wrong, UnknownKeyID},
		{"mapping/other-key-not-honoured", "another's mapping", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.mapping("@carol:three.test"))
		}, Wrong, OtherKey},
		{"mapping/bad-signature-rejected", "user ID changed", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.altered(w.mapping(bobID), "user_id", "@carol:two.test"))
		}, Wrong, BadSignature},
		{"mapping/malformed-not-honoured", "null", func(w *world) *pdu.Event { return w.member(bobID, "join", []byte("null")) }, Wrong, Malformed},
		{"mapping/malformed-not-honoured", "a string", func(w *world) *pdu.Event { return w.member(bobID, "join", []byte(`"x"`)) }, Wrong, Malformed},
		{"mapping/malformed-not-honoured", "no user ID", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.altered(w.mapping(bobID), "user_id", nil))
		}, Wrong, Malformed},
		{"mapping/malformed-not-honoured", "absurd user ID", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.altered(w.mapping(bobID), "user_id", "@"+strings.Repeat("b", 300)+":two.test"))
		}, Wrong, Malformed},
		{"mapping/malformed-not-honoured", "signatures a list", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.altered(w.mapping(bobID), "signatures", []int{}))
		}, Wrong, Malformed},
		{"mapping/malformed-not-honoured", "the domain's signatures a string", func(w *world) *pdu.Event {
			return w.member(bobID, "join", w.altered(w.mapping(bobID), "signatures", map[string]string{"two.test": "x"}))
		}, Wrong, Malformed},
		{"mapping/names-key", "spelled in the other dialect", func(w *world) *pdu.Event {
			other := *w
			other.r.Dialect = map[pdu.Dialect]pdu.Dialect{"msc4014": "dendrite", "dendrite": "msc4014"}[w.r.Dialect]
			return w.member(bobID, "join", other.mapping(bobID))
		}, Wrong, Malformed},
		{"unverified/event-accepted", "the domain is gone", func(w *world) *pdu.Event { w.dead["two.test"] = true; return w.join(bobID) }, Unverified, KeysUnavailable},
		{"mapping/expired-server-key", "the key has expired", func(w *world) *pdu.Event { w.validTo["two.test"] = testTime - 1; return w.join(bobID) }, Unverified, ExpiredKey},
		{"redaction/later-joiner-resolves", "redacted", func(w *world) *pdu.Event {
			redacted, err := w.join(bobID).Redacted()
			require.NoError(w.t, err)
			return redacted
		}, Unverified, Redacted},
		{"auth/member-key-must-match", "state key is a user ID", func(w *world) *pdu.Event {
			return w.event(w.key(bobID), memberEvent, bobID, []byte(`{"membership":"join"}`))
		}, Wrong, NotAMemberKey},
		{"auth/member-key-must-match", "no member event", func(w *world) *pdu.Event {
			return w.event(w.key(bobID), "m.room.name", string(w.key(bobID).Public), []byte(`{}`))
		}, Wrong, NotAMemberKey},
	} {
		t.Run(c.requirement+" "+c.name, func(t *testing.T) {
			bothDialects(t, func(t *testing.T, w *world) {
				j := w.r.Judge(c.event(w), w)
				assert.Equal(t, c.verdict, j.Verdict, j.Err)
				assert.Equal(t, c.cause, j.Cause, j.Err)
				assert.Equal(t, c.verdict == Verified, j.Err == nil)
				assert.Equal(t, c.cause == KeysUnavailable, j.Retry())
			})
		})
	}
}

// signedBy returns a user's mapping, signed by some server under some key ID.
func (w *world) signedBy(userID, server, keyID string) []byte {
	signed, err := pdu.SignJSON(pdu.UnsignedMapping(w.r.Dialect, w.key(userID).Public, userID), server, keyID, w.signer(server).Key)
	require.NoError(w.t, err)
	return signed
}

// mapping/expired-server-key, mapping/extra-signatures, mapping/replayed-into-another-room.
func TestJudgeReadings(t *testing.T) {
	expired := func(w *world) *pdu.Event { w.validTo["two.test"] = testTime - 1; return w.join(bobID) }
	extra := func(w *world) *pdu.Event {
		signed, err := pdu.SignJSON(w.mapping(bobID), "three.test", "ed25519:a", w.signer("three.test").Key)
		require.NoError(w.t, err)
		return w.member(bobID, "join", signed)
	}
	extraUnverifiable := func(w *world) *pdu.Event {
		signed, err := pdu.SignJSON(w.mapping(bobID), "three.test", "ed25519:z", w.signer("three.test").Key)
		require.NoError(w.t, err)
		return w.member(bobID, "join", signed)
	}
	for _, c := range []struct {
		requirement string
		reading     Reading
		event       func(w *world) *pdu.Event
		verdict     Verdict
	}{
		{"mapping/expired-server-key", "honoured", expired, Verified},
		{"mapping/expired-server-key", "refused", expired, Wrong},
		{"mapping/extra-signatures", "ignored", extraUnverifiable, Verified},
		{"mapping/extra-signatures", "verifiable-only", extra, Verified},
		{"mapping/extra-signatures", "verifiable-only", extraUnverifiable, Wrong},
		{"mapping/extra-signatures", "refused", extra, Wrong},
	} {
		w := newWorld(t, pdu.DialectMSC4014)
		w.set(c.requirement, c.reading)
		assert.Equal(t, c.verdict, w.r.Judge(c.event(w), w).Verdict, "%s=%s", c.requirement, c.reading)
	}
	w := newWorld(t, pdu.DialectMSC4014)
	right := w.r.Judge(w.join(bobID), w)
	for reading, verdict := range map[Reading]Verdict{"honoured": Verified, "refused": Wrong, "not-honoured": Unverified} {
		w.set("mapping/replayed-into-another-room", reading)
		assert.Equal(t, verdict, w.r.Replayed(right).Verdict, reading)
	}
}

// mapping/unproven-handling, mapping/bad-signature-rejected, mapping/unverified-on-leave, -ban, -knock, -invite.
func TestHandle(t *testing.T) {
	for _, c := range []struct {
		reading    Reading
		membership string
		judgement  Judgement
		want       Handling
	}{
		{"refused", "join", Judgement{Verdict: Verified}, Accept},
		{"refused", "join", Judgement{Verdict: Unverified, Cause: KeysUnavailable}, Accept},
		{"refused", "join", Judgement{Cause: Missing}, Refuse},
		{"refused", "invite", Judgement{Cause: ForeignSigned}, Refuse},
		{"refused", "knock", Judgement{Cause: ForeignSigned}, Refuse},
		{"refused", "knock", Judgement{Cause: Missing}, Accept},
		{"refused", "leave", Judgement{Cause: ForeignSigned}, Accept},
		{"refused", "ban", Judgement{Cause: BadSignature}, Accept},
		{"refused", "leave", Judgement{Cause: NotAMemberKey}, Refuse},
		{"dropped", "join", Judgement{Cause: Missing}, Drop},
		{"dropped", "join", Judgement{Cause: BadSignature}, Drop},
		{"placeholder", "join", Judgement{Cause: Missing}, Accept},
		{"placeholder", "join", Judgement{Cause: BadSignature}, Refuse},
		{"accepted-hidden", "join", Judgement{Cause: Unsigned}, Conceal},
		{"accepted-hidden", "join", Judgement{Cause: BadSignature}, Refuse},
	} {
		w := newWorld(t, pdu.DialectMSC4014)
		w.set("mapping/unproven-handling", c.reading)
		assert.Equal(t, c.want, w.r.Handle(c.membership, c.judgement), "%s %s %s", c.reading, c.membership, c.judgement.Cause)
	}
}

// mapping/delivered-by-third-server.
func TestMayDeliver(t *testing.T) {
	w := newWorld(t, pdu.DialectMSC4014)
	m := pdu.Mapping{UserID: bobID}
	for reading, want := range map[Reading][2]bool{ // by send_join, in a transaction
		"accepted": {true, true}, "refused": {false, false}, "transaction-only": {false, true}, "send-join-only": {true, false},
	} {
		w.set("mapping/delivered-by-third-server", reading)
		assert.Equal(t, want, [2]bool{w.r.MayDeliver("three.test", m, true), w.r.MayDeliver("three.test", m, false)}, reading)
		assert.True(t, w.r.MayDeliver("two.test", m, true), reading)
	}
}
