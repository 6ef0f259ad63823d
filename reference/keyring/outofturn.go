package keyring

// This file requests keys out of turn: at once, or from a notary.

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tidwall/gjson"

	"msc4014/reference/federation/transport"
)

// AskAgain requests a server's keys, however recently it was asked. It times out after two seconds.
func (k *Keyring) AskAgain(ctx context.Context, serverName string) error {
	ctx, cancel := context.WithTimeout(ctx, mappingTimeout)
	defer cancel()
	raw, d, err := k.fetch(ctx, serverName)
	k.learn(k.server(serverName), raw, d, err, nil)
	return err
}

// AskNotary requests the keys of another server from a notary: "perspective servers hosting keys for that server"
// (MSC4014, Proposal 4.2; server-server API, "Querying keys through another server"). They are stored if believed is
// set. It times out after two seconds.
func (k *Keyring) AskNotary(ctx context.Context, notary, serverName string, believed bool) error {
	ctx, cancel := context.WithTimeout(ctx, mappingTimeout)
	defer cancel()
	answer, err := k.transport.Ask(ctx, transport.Request{
		Server: notary, Method: http.MethodGet, URI: "/_matrix/key/v2/query/" + url.PathEscape(serverName), Limit: maximumDocument,
	})
	if err != nil {
		return err
	}
	for _, one := range gjson.GetBytes(answer.Body, "server_keys").Array() {
		raw := fetched{Document: []byte(one.Raw), FetchedAt: k.now().UnixMilli()}
		d, err := readDocument(serverName, raw)
		if err != nil {
			continue
		}
		if believed {
			k.learn(k.server(serverName), raw, d, nil, nil)
		}
		return nil
	}
	return fmt.Errorf("%s, asked as a notary, has no keys of %s: status %d", notary, serverName, answer.Status)
}
