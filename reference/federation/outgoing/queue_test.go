package outgoing

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/store"
)

func pdu(number int) []byte { return fmt.Appendf(nil, `{"n":%d,"a":"<&>"}`, number) }

func edu(number int) EDU { return EDU{"m.direct_to_device", fmt.Appendf(nil, `{"n":%d}`, number)} }

func (n *node) update(do func(tx *store.Tx)) {
	n.t.Helper()
	require.NoError(n.t, n.store.Update(func(tx *store.Tx) error { do(tx); return nil }))
}

// waits returns how much a server has waiting for another.
func (n *node) waits(server string) int {
	n.client.mu.Lock()
	defer n.client.mu.Unlock()
	return len(n.client.destination(server).waiting)
}

func TestEverythingArrivesInOrder(t *testing.T) {
	a, b := newNode(t), newNode(t)
	const events = 120
	a.update(func(tx *store.Tx) {
		for i := range events {
			a.client.SendEvent(tx, pdu(i), []string{b.name, a.name})
		}
		for i := range 3 {
			a.client.SendEDU(tx, edu(i), []string{b.name})
		}
	})
	var pdus, edus []string
	names := map[string]bool{}
	for len(edus) < 3 {
		got := b.next()
		assert.Equal(t, "PUT", got.method)
		assert.Contains(t, got.uri, "/_matrix/federation/v1/send/")
		assert.False(t, names[got.uri], "the name %s was used before", got.uri)
		names[got.uri] = true
		body := got.transaction(t)
		assert.Equal(t, a.name, body.Origin)
		assert.NotZero(t, body.At)
		assert.NotNil(t, body.PDUs)
		assert.LessOrEqual(t, len(body.PDUs), maximumPDUs)
		for _, one := range body.PDUs {
			pdus = append(pdus, string(one))
		}
		for _, one := range body.EDUs {
			edus = append(edus, string(one.Content))
		}
	}
	for i := range events {
		assert.Equal(t, string(pdu(i)), pdus[i])
	}
	assert.Equal(t, []string{`{"n":0}`, `{"n":1}`, `{"n":2}`}, edus)
	assert.Empty(t, a.arrived, "a server sends itself nothing")
	assert.Eventually(t, func() bool { return a.waits(b.name) == 0 }, time.Minute, time.Millisecond)
}

func TestManyEDUsAreSpreadOverTransactions(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.update(func(tx *store.Tx) {
		for i := range maximumEDUs + 1 {
			a.client.SendEDU(tx, edu(i), []string{b.name})
		}
	})
	assert.Len(t, b.next().transaction(t).EDUs, maximumEDUs)
	assert.Len(t, b.next().transaction(t).EDUs, 1)
}

func TestTransactionIsSentAgainAsItWas(t *testing.T) {
	a, b := newNode(t), newNode(t)
	tries := 0
	b.answers(func(received) (int, string) {
		if tries++; tries == 1 {
			return http.StatusInternalServerError, `{}`
		}
		return http.StatusOK, `{"pdus":{"$x":{"error":"it is noted, and not sent again"}}}`
	})
	a.update(func(tx *store.Tx) { a.client.SendEvent(tx, pdu(1), []string{b.name}) })
	first := b.next()
	a.update(func(tx *store.Tx) { a.client.SendEvent(tx, pdu(2), []string{b.name}) })
	assert.Equal(t, first, b.next())
	second := b.next()
	assert.NotEqual(t, first.uri, second.uri)
	assert.Equal(t, []json.RawMessage{pdu(2)}, second.transaction(t).PDUs)
}

func TestWhatWaitsOutlivesTheServer(t *testing.T) {
	a, b := newNode(t), newNode(t)
	b.answers(func(received) (int, string) { return http.StatusServiceUnavailable, `{}` })
	a.update(func(tx *store.Tx) {
		a.client.SendEvent(tx, pdu(1), []string{b.name})
		a.client.SendEDU(tx, edu(1), []string{b.name})
	})
	first := b.next()
	a.update(func(tx *store.Tx) { a.client.SendEvent(tx, pdu(2), []string{b.name}) })
	a.close()

	b.forget() // tries before the end
	b.answers(func(received) (int, string) { return http.StatusOK, `{}` })
	a.open()
	again := b.next()
	assert.Equal(t, first.uri, again.uri)
	samePDUs(t, again, 1)
	assert.Equal(t, first.transaction(t).EDUs, again.transaction(t).EDUs)
	next := b.next()
	samePDUs(t, next, 2)

	// And what was taken is not sent again.
	assert.Eventually(t, func() bool { return a.waits(b.name) == 0 }, time.Minute, time.Millisecond)
	a.close()
	a.open()
	a.update(func(tx *store.Tx) { a.client.SendEvent(tx, pdu(3), []string{b.name}) })
	last := b.next()
	samePDUs(t, last, 3)
	assert.NotContains(t, []string{first.uri, next.uri}, last.uri)
}

// samePDUs compares the events in a transaction, which the store may spell in another way.
func samePDUs(t *testing.T, got received, numbers ...int) {
	t.Helper()
	pdus := got.transaction(t).PDUs
	require.Len(t, pdus, len(numbers))
	for i, number := range numbers {
		assert.JSONEq(t, string(pdu(number)), string(pdus[i]))
	}
}

func TestServerThatIsHeardOfIsSentToAtOnce(t *testing.T) {
	for name, hear := range map[string]func(a, b *node){
		"it asks":    func(a, b *node) { a.client.Heard(b.name) },
		"it answers": func(a, b *node) { _, err := a.client.Version(t.Context(), b.name); assert.NoError(t, err); b.next() },
		"it refuses": func(a, b *node) {
			b.answers(func(r received) (int, string) {
				if r.method == http.MethodGet {
					return http.StatusForbidden, `{}`
				}
				return http.StatusOK, `{}`
			})
			_, err := a.client.Version(t.Context(), b.name)
			assert.Error(t, err)
			b.next()
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newNode(t), newNode(t)
			b.answers(func(received) (int, string) { return http.StatusServiceUnavailable, `{}` })
			a.update(func(tx *store.Tx) {
				a.client.SendEvent(tx, pdu(1), []string{b.name})
				a.client.mu.Lock()
				defer a.client.mu.Unlock()
				a.client.destination(b.name).failures = 100 // as if it had been away for long
			})
			first := b.next()
			b.answers(func(received) (int, string) { return http.StatusOK, `{}` })
			began := time.Now()
			hear(a, b)
			assert.Equal(t, first, b.next())
			assert.Less(t, time.Since(began), longestBackoff/2)
		})
	}
}

func TestOneServerDoesNotHoldUpAnother(t *testing.T) {
	a, b, dead := newNode(t), newNode(t), newNode(t)
	dead.http.Close()
	a.update(func(tx *store.Tx) { a.client.SendEvent(tx, pdu(1), []string{dead.name, b.name}) })
	assert.Len(t, b.next().transaction(t).PDUs, 1)
	dead.listen(dead.name)
	assert.Len(t, dead.next().transaction(t).PDUs, 1)
}

func TestNothingIsSentBeforeItIsDurable(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.update(func(tx *store.Tx) {
		a.client.SendEvent(tx, pdu(1), []string{b.name})
		select {
		case <-b.arrived:
			assert.Fail(t, "it was sent before the transaction was through")
		case <-time.After(50 * time.Millisecond):
		}
	})
	b.next()
}

func TestEphemeralEDUs(t *testing.T) {
	a, b := newNode(t), newNode(t)
	b.http.Close()
	for i := range 2 * maximumEDUs {
		a.client.SendEphemeral(EDU{"m.typing", fmt.Appendf(nil, `%d`, i)}, []string{b.name, a.name})
	}
	b.listen(b.name)
	var got []EDU
	for len(got) == 0 || string(got[len(got)-1].Content) != fmt.Sprint(2*maximumEDUs-1) {
		body := b.next().transaction(t)
		assert.LessOrEqual(t, len(body.EDUs), maximumEDUs)
		got = append(got, body.EDUs...)
	}
	assert.LessOrEqual(t, len(got), 2*maximumEDUs, "those that waited longest may be lost")
}

func TestUsersEDUs(t *testing.T) {
	a, b := newNode(t), newNode(t)
	a.client.ForUsers().SendEDU([]string{b.name}, "m.typing", json.RawMessage(`{"a":1}`))
	assert.Equal(t, []EDU{{"m.typing", json.RawMessage(`{"a":1}`)}}, b.next().transaction(t).EDUs)
	b.answers(func(received) (int, string) { return http.StatusBadGateway, `{}` })
	a.client.ForUsers().SendEDU([]string{b.name}, "m.direct_to_device", json.RawMessage(`{"b":1}`))
	b.next()
	assert.Equal(t, 1, a.waits(b.name))
}

func TestBackoff(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		1: 500 * time.Millisecond, 2: time.Second, 3: 2 * time.Second, 5: 8 * time.Second, 6: 10 * time.Second, 1000: 10 * time.Second,
	} {
		assert.Equal(t, want, backoff(failures))
	}
}

func TestFailedUpdateIsToldToNobody(t *testing.T) {
	a := newNode(t)
	require.NoError(t, a.store.Close())
	err := a.store.Update(func(*store.Tx) error { return errors.New("no") })
	assert.Error(t, err)
	a.client.ForUsers().SendEDU([]string{"b.test"}, "m.direct_to_device", json.RawMessage(`{}`))
}
