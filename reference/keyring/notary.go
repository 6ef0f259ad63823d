package keyring

// This file publishes other servers' keys, as a notary (server-server API, "Querying keys through another server").

import (
	"context"
	"fmt"
	"sync"

	"msc4014/reference/pdu"
)

// maximumQueried limits how many servers one query may name, and atOnce how many of them are asked concurrently.
const (
	maximumQueried = 100
	atOnce         = 10
)

// Queried is a query about one server: until when each key should be valid, in milliseconds. No keys means all of them,
// 0 means now.
type Queried map[string]int64

// Query returns the key documents of servers, by name, with the notary's signature added. Servers whose keys are
// unavailable are left out; a document that does not satisfy the query is still returned.
func (k *Keyring) Query(ctx context.Context, servers map[string]Queried) (documents [][]byte, err error) {
	if len(servers) > maximumQueried {
		return nil, fmt.Errorf("the keys of %d servers were asked for, at most %d are looked for at once", len(servers), maximumQueried)
	}
	var (
		mu    sync.Mutex
		all   sync.WaitGroup
		slots = make(chan struct{}, atOnce)
	)
	for name, queried := range servers {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if document := k.notarised(ctx, name, queried); document != nil {
				mu.Lock()
				defer mu.Unlock()
				documents = append(documents, document)
			}
		})
	}
	all.Wait()
	return documents, nil
}

// notarised returns the document of a server, or nil.
func (k *Keyring) notarised(ctx context.Context, name string, queried Queried) []byte {
	if name == k.serverName {
		document, err := k.OwnDocument()
		if err != nil {
			return nil
		}
		return document
	}
	known, _ := k.document(ctx, name, func(d *document) bool { return d.satisfies(queried, k.now().UnixMilli()) })
	if known == nil {
		return nil
	}
	signed, err := pdu.SignJSON(known.raw, k.own.Name, k.own.KeyID, k.own.Key)
	if err != nil {
		return nil
	}
	return signed
}

// satisfies reports whether a document satisfies a query.
func (d *document) satisfies(queried Queried, now int64) bool {
	if len(queried) == 0 {
		return d.validUntil >= now
	}
	for keyID, until := range queried {
		if until == 0 {
			until = now
		}
		if !d.hasUntil(keyID, until) {
			return false
		}
	}
	return true
}
