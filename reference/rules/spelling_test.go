package rules

import (
	"testing"

	"msc4014/reference/pdu"
)

// signing/rejects-noncanonical: where a key has several spellings, a ban of one is a ban of all (auth/ban-by-key).
func TestBanInOtherSpelling(t *testing.T) {
	inFormats(t, pseudonymous, func(t *testing.T, f pdu.Format) {
		anySpelling := Rules{Pseudonym: reading("signing/rejects-noncanonical", "key-spelling-accepted")}
		for rule, membership := range map[string]string{"4.3.3": "join", "4.7.4": "knock"} {
			r := newRoom(t, f).create()
			r.joinRule(map[string]string{"join": "public", "knock": "knock"}[membership])
			enters := r.member("carol", "carol", membership)
			assertRule(t, "", anySpelling.Allowed(enters, r.state))
			ban := r.event("alice", memberType, new(r.id("carol")+"="), object{"membership": "ban"})
			key, _ := ban.State()
			r.state[key] = ban
			assertRule(t, rule, anySpelling.Allowed(enters, r.state))
		}
	})
}
