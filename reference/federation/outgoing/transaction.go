package outgoing

// This file makes transactions from queued items, and sends them.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/reference/store"
)

// transactionTimeout limits one attempt to send a transaction. A slower server gets it again with the same ID, and does
// not process it twice.
const transactionTimeout = 10 * time.Second

// underWay is the stored form of a transaction: its ID, and the number of items, from the front of the queue. It
// survives restarts, so that the same items are sent again with the same ID.
type underWay struct {
	ID    string `json:"id"`
	Items int    `json:"items"`
}

// transaction is a transaction that is being sent.
type transaction struct {
	underWay
	body []byte
}

// sendAll sends the queue of a server until it is empty. After a failure the same transaction is sent again, and no
// other before it is accepted ("must wait and retry for a 200 OK response").
func (c *Client) sendAll(d *destination) {
	for {
		t, err := c.form(d)
		if err != nil {
			c.Log.Error("nothing more is sent", "server", d.name, "error", err)
			return
		}
		if t == nil {
			return
		}
		for {
			err := c.send(d.name, t)
			if err == nil {
				break
			}
			c.Log.Info("a transaction was not accepted", "server", d.name, "transaction", t.ID, "error", err)
			if !c.sleep(d) {
				return
			}
		}
		if err := c.taken(d, t); err != nil {
			c.Log.Error("nothing more is sent", "server", d.name, "error", err)
			return
		}
	}
}

// form makes the next transaction. If the queue is empty, it marks the destination as idle and returns nil.
func (c *Client) form(d *destination) (t *transaction, err error) {
	c.mu.Lock()
	durable := len(d.waiting) > 0
	switch {
	case c.lifetime.Err() != nil:
		defer c.mu.Unlock()
		return nil, nil
	case !durable && len(d.ephemeral) == 0:
		defer c.mu.Unlock()
		d.sending = false
		return nil, nil
	case !durable:
		defer c.mu.Unlock()
		return c.compose(d)
	}
	c.mu.Unlock()
	// The Update waits for the one that queued the items: they are not sent before they are durable.
	err = c.Store.Update(func(tx *store.Tx) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if t, err = c.compose(d); err != nil {
			return err
		}
		c.transactions.Put(tx, d.name, t.underWay)
		return nil
	})
	return t, err
}

// compose returns the transaction that was under way before a restart, or a new one with the first items. The lock must
// be held.
func (c *Client) compose(d *destination) (*transaction, error) {
	pdus, edus := []json.RawMessage{}, []EDU{}
	t := &transaction{}
	t.underWay, _ = c.transactions.Get(d.name)
	again := t.ID != ""
	if !again {
		c.formed++
		t.ID = fmt.Sprintf("%d-%d", c.began, c.formed)
	}
	for i, waiting := range d.waiting {
		if again && i == t.Items || waiting.PDU != nil && len(pdus) == maximumPDUs || waiting.EDU != nil && len(edus) == maximumEDUs {
			break
		}
		if waiting.PDU != nil {
			pdus = append(pdus, waiting.PDU)
		} else {
			edus = append(edus, *waiting.EDU)
		}
		if !again {
			t.Items++
		}
	}
	for len(d.ephemeral) > 0 && len(edus) < maximumEDUs {
		edus = append(edus, d.ephemeral[0])
		d.ephemeral = d.ephemeral[1:]
	}
	body := map[string]any{"origin": c.ServerName, "origin_server_ts": time.Now().UnixMilli(), "pdus": pdus}
	if len(edus) > 0 {
		body["edus"] = edus
	}
	var err error
	if t.body, err = marshal(body); err != nil {
		return nil, fmt.Errorf("a transaction for %s: %w", d.name, err)
	}
	return t, nil
}

// send sends a transaction: PUT /send/{txnId}.
func (c *Client) send(server string, t *transaction) error {
	ctx, cancel := context.WithTimeout(c.lifetime, transactionTimeout)
	defer cancel()
	answer, err := c.do(ctx, server, http.MethodPut, v1("send", t.ID), t.body)
	if err != nil {
		return err
	}
	gjson.GetBytes(answer, "pdus").ForEach(func(eventID, outcome gjson.Result) bool {
		if refused := outcome.Get("error"); refused.Exists() {
			c.Log.Info("an event was refused", "server", server, "event", eventID.String(), "error", refused.String())
		}
		return true
	})
	return nil
}

// taken deletes a transaction that its destination accepted.
func (c *Client) taken(d *destination, t *transaction) error {
	c.mu.Lock()
	d.failures = 0
	done := d.waiting[:t.Items]
	d.waiting = d.waiting[t.Items:]
	c.mu.Unlock()
	if t.Items == 0 {
		return nil
	}
	return c.Store.Update(func(tx *store.Tx) error {
		for _, one := range done {
			c.items.Delete(tx, itemKey(d.name, one.number))
		}
		c.transactions.Delete(tx, d.name)
		return nil
	})
}
