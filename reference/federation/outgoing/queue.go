package outgoing

// This file has the queues: what is to be sent to other servers, in order, until they have taken it.

import (
	"encoding/json"

	"msc4014/reference/store"
)

// EDU is something to tell another server that is no event.
type EDU struct {
	Type    string          `json:"edu_type"`
	Content json.RawMessage `json:"content"`
}

// Queues are one queue for each destination.
type Queues struct{}

// SendEvent queues an event for servers. It is durable with the transaction, and sent once that is through: it may be
// called in the Update that keeps the event.
func (q *Queues) SendEvent(tx *store.Tx, event []byte, servers []string) {}

// SendEDU queues an EDU for servers, as SendEvent does an event: for messages to devices and changes of devices, which
// must not get lost.
func (q *Queues) SendEDU(tx *store.Tx, edu EDU, servers []string) {}

// SendEphemeral queues an EDU that may get lost: typing, receipts, presence. One of the same key that is still waiting
// is replaced.
func (q *Queues) SendEphemeral(key string, edu EDU, servers []string) {}

// Heard tells that a server was heard of: what waits for it is sent at once.
func (q *Queues) Heard(server string) {}
