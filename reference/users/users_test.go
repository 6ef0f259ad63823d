package users

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/store"
	"msc4014/reference/users/pushrules"
)

func code(err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return ""
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func TestUsernames(t *testing.T) {
	u, _ := open(t, t.TempDir())
	register(t, u, "alice")
	for localpart, want := range map[string]string{
		"alice": "M_USER_IN_USE", "ALICE": "M_USER_IN_USE", "a b": "M_INVALID_USERNAME", "ü": "M_INVALID_USERNAME",
		"a:b": "M_INVALID_USERNAME", "_unverified_bob_two.test": "M_EXCLUSIVE", "_Unverified_bob": "M_EXCLUSIVE", "b/c.d_e=f-g+1": "",
	} {
		_, err := u.Register(localpart, "p")
		assert.Equal(t, want, code(err), localpart)
	}
	chosen, err := u.Register("", "p")
	require.NoError(t, err)
	assert.True(t, u.Exists(chosen))
	assert.NotEmpty(t, u.CheckAvailable(""))
}

func TestPasswordsAndTokens(t *testing.T) {
	u, _ := open(t, t.TempDir())
	alice := register(t, u, "alice")
	assert.NoError(t, u.CheckPassword(alice.UserID, "password of alice"))
	assert.Equal(t, "M_FORBIDDEN", code(u.CheckPassword(alice.UserID, "wrong")))
	assert.Equal(t, "M_FORBIDDEN", code(u.CheckPassword("@nobody:one.test", "")))

	second, token, err := u.LogIn(alice.UserID, "", "phone")
	require.NoError(t, err)
	found, ok := u.Authenticate(token)
	assert.True(t, ok)
	assert.Equal(t, second, found)
	again, newer, err := u.LogIn(alice.UserID, second.DeviceID, "")
	require.NoError(t, err)
	assert.Equal(t, second, again)
	_, ok = u.Authenticate(token)
	assert.False(t, ok, "the old token ended")

	require.NoError(t, u.SetPassword(alice.UserID, "new", alice.DeviceID, true))
	assert.NoError(t, u.CheckPassword(alice.UserID, "new"))
	_, ok = u.Authenticate(newer)
	assert.False(t, ok, "the other device was logged out")
	assert.Len(t, u.Devices(alice.UserID), 1)

	require.NoError(t, u.Deactivate(alice.UserID))
	assert.Equal(t, "M_USER_DEACTIVATED", code(u.CheckPassword(alice.UserID, "new")))
	assert.Empty(t, u.Devices(alice.UserID))
	_, err = u.Register("alice", "p")
	assert.Equal(t, "M_USER_IN_USE", code(err))
	_, err = u.Profile(t.Context(), alice.UserID)
	assert.Equal(t, "M_NOT_FOUND", code(err))
}

func TestEverythingIsThereAfterOpeningAgain(t *testing.T) {
	dir := t.TempDir()
	u, _ := open(t, dir)
	alice, bob := register(t, u, "alice"), register(t, u, "bob")
	require.NoError(t, u.SetAccountData(alice.UserID, "", "x", raw(`{"a":1}`)))
	require.NoError(t, u.SetTag(alice.UserID, "!r", "u.work", raw(`{"order":0.5}`)))
	require.NoError(t, u.SendToDevices(bob.UserID, "m.test", Messages{alice.UserID: {"*": raw(`{"n":1}`)}}))
	require.NoError(t, u.SetReceipt("!r", Receipt{Type: PrivateReadReceipt, UserID: alice.UserID, EventID: "$1", Timestamp: 7}))
	_, err := u.Once(alice, "send", "t1", func() (string, error) { return "$e", nil })
	require.NoError(t, err)
	u.SetTyping("!r", alice.UserID, time.Minute)
	last := u.clock.Now()
	require.NoError(t, u.Store.Close())

	u, _ = open(t, dir)
	assert.Equal(t, last, u.LastPosition())
	content, _ := u.AccountData(alice.UserID, "", "x")
	assert.JSONEq(t, `{"a":1}`, string(content))
	assert.Contains(t, u.Tags(alice.UserID, "!r"), "u.work")
	messages, _, err := u.ToDevice(alice, 0, last, 10)
	require.NoError(t, err)
	assert.Len(t, messages, 1)
	assert.Len(t, u.ReceiptsSince(alice.UserID, "!r", 0), 1)
	assert.Empty(t, u.ReceiptsSince(bob.UserID, "!r", 0), "private receipts are nobody else's business")
	eventID, err := u.Once(alice, "send", "t1", func() (string, error) { return "", errors.New("a second time") })
	require.NoError(t, err)
	assert.Equal(t, "$e", eventID)
}

func TestOnceIsOnceForEachDeviceAndEndpoint(t *testing.T) {
	u, _ := open(t, t.TempDir())
	alice := register(t, u, "alice")
	phone, _, err := u.LogIn(alice.UserID, "PHONE", "")
	require.NoError(t, err)
	var lock sync.Mutex
	done := 0
	do := func() (string, error) { lock.Lock(); defer lock.Unlock(); done++; return "$e", nil }
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { _, _ = u.Once(alice, "send", "t", do) })
	}
	all.Wait()
	assert.Equal(t, 1, done)
	_, _ = u.Once(phone, "send", "t", do)
	_, _ = u.Once(alice, "redact", "t", do)
	assert.Equal(t, 3, done)
	_, err = u.Once(alice, "send", "fails", func() (string, error) { return "", errors.New("no") })
	assert.Error(t, err)
	_, err = u.Once(alice, "send", "fails", do)
	assert.NoError(t, err, "what failed may be tried again")

	// What is done together with the request's own work is done, though the server end before Once does.
	require.NoError(t, u.Store.Update(func(tx *store.Tx) error {
		u.Done(tx, alice, "send", "half way", "$h")
		return nil
	}))
	eventID, err := u.Once(alice, "send", "half way", func() (string, error) { return "", errors.New("a second time") })
	assert.NoError(t, err)
	assert.Equal(t, "$h", eventID)
}

func TestToDeviceMessagesAreDeliveredUntilAcknowledged(t *testing.T) {
	u, w := open(t, t.TempDir())
	alice, bob := register(t, u, "alice"), register(t, u, "bob")
	for _, n := range []string{"1", "2", "3"} {
		require.NoError(t, u.SendToDevices(bob.UserID, "m.test", Messages{
			alice.UserID: {alice.DeviceID: raw(n), "NOBODY": raw(n)}, "@carol:two.test": {"C": raw(n)},
		}))
	}
	assert.Contains(t, w.sent, "m.direct_to_device to two.test")
	assert.Equal(t, "3", gjson.GetBytes(w.last("m.direct_to_device"), `messages.@carol:two\.test.C`).Raw)
	first, upTo, err := u.ToDevice(alice, 0, u.clock.Now(), 2)
	require.NoError(t, err)
	require.Len(t, first, 2)
	assert.Equal(t, first[1].Position, upTo)
	again, _, err := u.ToDevice(alice, 0, u.clock.Now(), 100)
	require.NoError(t, err)
	assert.Len(t, again, 3, "nothing was acknowledged")
	rest, upTo, err := u.ToDevice(alice, upTo, u.clock.Now(), 100)
	require.NoError(t, err)
	require.Len(t, rest, 1)
	assert.Equal(t, u.clock.Now(), upTo)
	left, _, err := u.ToDevice(alice, 0, u.clock.Now(), 100)
	require.NoError(t, err)
	assert.Equal(t, rest, left, "the others are gone")

	edu := raw(`{"sender":"@carol:two.test","type":"m.test","message_id":"m","messages":{"` + bob.UserID + `":{"*":{}}}}`)
	require.NoError(t, u.ReceiveToDevice("two.test", edu))
	require.NoError(t, u.ReceiveToDevice("two.test", edu))
	assert.Equal(t, "M_FORBIDDEN", code(u.ReceiveToDevice("three.test", edu)))
	got, _, err := u.ToDevice(bob, 0, u.clock.Now(), 100)
	require.NoError(t, err)
	assert.Len(t, got, 1)
}

func TestKeys(t *testing.T) {
	u, w := open(t, t.TempDir())
	alice, bob := register(t, u, "alice"), register(t, u, "bob")
	keys := raw(`{"user_id":"@alice:one.test","device_id":"ALICE","keys":{"ed25519:ALICE":"k"},
		"signatures":{"@alice:one.test":{"ed25519:ALICE":"s"}}}`)
	assert.Equal(t, "M_INVALID_PARAM", code(u.UploadKeys(bob, KeyUpload{DeviceKeys: keys})))
	before := u.clock.Now()
	upload := KeyUpload{
		DeviceKeys:  keys,
		OneTimeKeys: map[string]json.RawMessage{"signed_curve25519:A": raw(`{"key":"a"}`), "signed_curve25519:B": raw(`{"key":"b"}`)},
		FallbackKeys: map[string]json.RawMessage{
			"signed_curve25519:F": raw(`{"key":"f","fallback":true}`),
		},
	}
	require.NoError(t, u.UploadKeys(alice, upload))
	assert.Equal(t, []string{alice.UserID}, u.DeviceListChanged(before, u.clock.Now()))
	assert.Equal(t, "ALICE", gjson.GetBytes(w.last("m.device_list_update"), "keys.device_id").String())
	changed := u.clock.Now()
	require.NoError(t, u.UploadKeys(alice, upload), "the same again")
	assert.Empty(t, u.DeviceListChanged(changed, u.clock.Now()))
	assert.Equal(t, "M_UNKNOWN", code(u.UploadKeys(alice, KeyUpload{OneTimeKeys: map[string]json.RawMessage{"signed_curve25519:A": raw(`{}`)}})))

	want := Claims{alice.UserID: {alice.DeviceID: "signed_curve25519"}}
	var got []string
	for range 4 {
		claimed, failures, err := u.ClaimKeys(t.Context(), want)
		require.NoError(t, err)
		assert.Empty(t, failures)
		for id := range claimed[alice.UserID][alice.DeviceID] {
			got = append(got, id)
		}
	}
	assert.Equal(t, []string{"signed_curve25519:A", "signed_curve25519:B", "signed_curve25519:F", "signed_curve25519:F"}, got)
	counts, unused := u.OneTimeKeyCounts(alice)
	assert.Equal(t, map[string]int{"signed_curve25519": 0}, counts)
	assert.Empty(t, unused)

	require.NoError(t, u.UploadSigningKeys(alice.UserID, SigningKeys{
		Master:      raw(`{"user_id":"@alice:one.test","usage":["master"],"keys":{"ed25519:M":"M"}}`),
		UserSigning: raw(`{"user_id":"@alice:one.test","usage":["user_signing"],"keys":{"ed25519:U":"U"}}`),
	}))
	failures, err := u.UploadSignatures(bob.UserID, map[string]map[string]json.RawMessage{alice.UserID: {
		"M": raw(`{"signatures":{"@bob:one.test":{"ed25519:X":"sig"}}}`), "NONE": raw(`{"signatures":{"@bob:one.test":{"ed25519:X":"sig"}}}`),
	}})
	require.NoError(t, err)
	assert.Contains(t, failures[alice.UserID], "NONE")
	assert.NotContains(t, failures[alice.UserID], "M")

	shown := u.QueryKeys(t.Context(), bob.UserID, map[string][]string{alice.UserID: {}, "@carol:two.test": {}})
	assert.JSONEq(t, string(keys), string(shown.DeviceKeys[alice.UserID]["ALICE"]))
	assert.Equal(t, "sig", gjson.GetBytes(shown.MasterKeys[alice.UserID], `signatures.@bob:one\.test.ed25519:X`).String())
	assert.Empty(t, shown.UserSigningKeys, "for alice alone")
	assert.Contains(t, shown.Failures, "two.test")
	assert.Contains(t, u.QueryKeys(t.Context(), alice.UserID, map[string][]string{alice.UserID: {}}).UserSigningKeys, alice.UserID)
}

func TestKeysOfAnotherServerAreRememberedForWhenItIsAway(t *testing.T) {
	u, w := open(t, t.TempDir())
	asked := map[string][]string{"@carol:two.test": {}}
	w.answers["query"] = raw(`{"device_keys":{"@carol:two.test":{"C":{"device_id":"C"}}},"master_keys":{"@carol:two.test":{"m":1}}}`)
	assert.Contains(t, u.QueryKeys(t.Context(), "", asked).DeviceKeys["@carol:two.test"], "C")
	delete(w.answers, "query")
	before := u.clock.Now()
	require.NoError(t, u.ReceiveDeviceListUpdate(raw(`{"user_id":"@carol:two.test","device_id":"D","keys":{"device_id":"D"},"stream_id":1}`)))
	assert.Equal(t, []string{"@carol:two.test"}, u.DeviceListChanged(before, u.clock.Now()))
	known := u.QueryKeys(t.Context(), "", asked)
	assert.Len(t, known.DeviceKeys["@carol:two.test"], 2)
	assert.JSONEq(t, `{"m":1}`, string(known.MasterKeys["@carol:two.test"]))
	assert.Empty(t, known.Failures)
	require.NoError(t, u.ReceiveDeviceListUpdate(raw(`{"user_id":"@carol:two.test","device_id":"C","deleted":true}`)))
	assert.Len(t, u.QueryKeys(t.Context(), "", asked).DeviceKeys["@carol:two.test"], 1)
	assert.Equal(t, "M_INVALID_PARAM", code(u.ReceiveDeviceListUpdate(raw(`{"user_id":"@alice:one.test"}`))))
}

func TestTypingEndsByItself(t *testing.T) {
	u, w := open(t, t.TempDir())
	u.SetTyping("!r", "@alice:one.test", time.Minute)
	started := u.clock.Now()
	typing, changed := u.TypingSince("!r", 0)
	assert.Equal(t, []string{"@alice:one.test"}, typing)
	assert.True(t, changed)
	assert.True(t, gjson.GetBytes(w.last("m.typing"), "typing").Bool())
	require.NoError(t, u.ReceiveTyping("two.test", raw(`{"room_id":"!r","user_id":"@carol:two.test","typing":true}`)))
	assert.Equal(t, "M_FORBIDDEN", code(u.ReceiveTyping("two.test", raw(`{"room_id":"!r","user_id":"@carol:three.test","typing":true}`))))
	u.SetTyping("!r", "@alice:one.test", time.Nanosecond)
	for again, _ := u.TypingSince("!r", 0); slices.Contains(again, "@alice:one.test"); again, _ = u.TypingSince("!r", 0) {
		u.clock.Wait(t.Context(), started)
		started = u.clock.Now()
	}
	typing, _ = u.TypingSince("!r", 0)
	assert.Equal(t, []string{"@carol:two.test"}, typing)
}

func TestPresence(t *testing.T) {
	u, w := open(t, t.TempDir())
	alice := register(t, u, "alice")
	require.NoError(t, u.Seen(alice.UserID, ""))
	assert.Equal(t, "online", u.PresenceOf(alice.UserID).State)
	at := u.PresenceOf(alice.UserID).Position
	require.NoError(t, u.Seen(alice.UserID, ""))
	assert.Equal(t, at, u.PresenceOf(alice.UserID).Position, "nothing new")
	require.NoError(t, u.SetPresence(alice.UserID, "unavailable", "out"))
	require.NoError(t, u.Seen(alice.UserID, ""))
	assert.Equal(t, "unavailable", u.PresenceOf(alice.UserID).State, "said, and not taken back by being there")
	assert.Equal(t, "out", gjson.GetBytes(w.last("m.presence"), "push.0.status_msg").String())
	assert.Equal(t, "M_INVALID_PARAM", code(u.SetPresence(alice.UserID, "sleepy", "")))
	require.NoError(t, u.ReceivePresence("two.test", raw(`{"push":[{"user_id":"@carol:two.test","presence":"online","last_active_ago":5},
		{"user_id":"@dave:three.test","presence":"online"}]}`)))
	assert.Equal(t, "online", u.PresenceOf("@carol:two.test").State)
	assert.Equal(t, "offline", u.PresenceOf("@dave:three.test").State)
}

func TestReceiptsReplaceOneAnother(t *testing.T) {
	u, w := open(t, t.TempDir())
	for _, r := range []Receipt{
		{Type: ReadReceipt, EventID: "$1"}, {Type: ReadReceipt, EventID: "$2"}, {Type: ReadReceipt, EventID: "$3", ThreadID: "main"},
	} {
		r.UserID = "@alice:one.test"
		require.NoError(t, u.SetReceipt("!r", r))
	}
	got := u.ReceiptsSince("@bob:one.test", "!r", 0)
	require.Len(t, got, 2)
	assert.Equal(t, "$2", got[0].EventID)
	assert.Equal(t, "main", gjson.GetBytes(w.last("m.receipt"), `!r.m\.read.@alice:one\.test.data.thread_id`).String())
	assert.Equal(t, "M_INVALID_PARAM", code(u.SetReceipt("!r", Receipt{Type: "m.unread"})))
	edu := raw(`{"!r":{"m.read":{"@carol:two.test":{"event_ids":["$9"],"data":{"ts":3}},"@eve:two.test":{"event_ids":["$9"]},
		"@alice:one.test":{"event_ids":["$9"]}}}}`)
	in := func(_, userID string) bool { return userID != "@eve:two.test" }
	require.NoError(t, u.ReceiveReceipts("two.test", edu, in))
	got = u.ReceiptsSince("@bob:one.test", "!r", got[1].Position)
	require.Len(t, got, 1)
	assert.Equal(t, "@carol:two.test", got[0].UserID)
}

func TestBackupsKeepTheBetterSession(t *testing.T) {
	u, _ := open(t, t.TempDir())
	version, err := u.AddBackup("@alice:one.test", "m.megolm", raw(`{}`))
	require.NoError(t, err)
	for _, session := range []string{`{"first_message_index":3}`, `{"first_message_index":1}`, `{"first_message_index":2}`} {
		_, err := u.ChangeBackup("@alice:one.test", version, true, func(b *Backup) { b.PutSession("!r", "s", raw(session)) })
		require.NoError(t, err)
	}
	b, err := u.Backup("@alice:one.test", "")
	require.NoError(t, err)
	assert.JSONEq(t, `{"first_message_index":1}`, string(b.Rooms("!r", "")["!r"]["s"]))
	assert.Equal(t, 3, b.Changes)
	_, err = u.AddBackup("@alice:one.test", "m.megolm", raw(`{}`))
	require.NoError(t, err)
	_, err = u.ChangeBackup("@alice:one.test", version, true, func(*Backup) {})
	assert.Equal(t, "M_WRONG_ROOM_KEYS_VERSION", code(err))
}

func TestPushRulesAreAccountData(t *testing.T) {
	u, _ := open(t, t.TempDir())
	alice := register(t, u, "alice")
	events := u.AccountDataSince(alice.UserID, "", 0)
	require.Len(t, events, 1)
	assert.Equal(t, ".m.rule.master", gjson.GetBytes(events[0].Content, "global.override.0.rule_id").String())
	before := u.clock.Now()
	require.NoError(t, u.ChangePushRules(alice.UserID, func(rules pushrules.Ruleset) (pushrules.Ruleset, error) {
		return rules.With("room", pushrules.Rule{ID: "!r", Enabled: true}, "", "")
	}))
	events = u.AccountDataSince(alice.UserID, "", before)
	require.Len(t, events, 1)
	assert.Equal(t, "!r", gjson.GetBytes(events[0].Content, "global.room.0.rule_id").String())
}

func TestStoreIsLeftAloneByARefusal(t *testing.T) {
	u, _ := open(t, t.TempDir())
	refused := u.publish(func(*store.Tx, int64) error { return refuse("M_FORBIDDEN", "no") })
	assert.Equal(t, "M_FORBIDDEN", code(refused))
	assert.Zero(t, u.clock.Now())
}
