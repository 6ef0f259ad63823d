package federation

// This file publishes keys: this server's, and as a notary those of others.

import (
	"encoding/json"

	"msc4014/reference/keyring"
	"msc4014/reference/rooms"
)

// ownKeys answers GET /_matrix/key/v2/server.
func (s *Server) ownKeys(*request) (any, error) {
	document, err := s.Keys.OwnDocument()
	return json.RawMessage(document), err
}

// queryKeys answers POST /_matrix/key/v2/query.
func (s *Server) queryKeys(r *request) (any, error) {
	var asked struct {
		ServerKeys map[string]map[string]struct {
			MinimumValidUntil int64 `json:"minimum_valid_until_ts"`
		} `json:"server_keys"`
	}
	if err := r.read(&asked); err != nil {
		return nil, err
	}
	servers := map[string]keyring.Queried{}
	for server, keys := range asked.ServerKeys {
		servers[server] = keyring.Queried{}
		for keyID, key := range keys {
			servers[server][keyID] = key.MinimumValidUntil
		}
	}
	return s.documents(r, servers)
}

// queryKeysOf answers GET /_matrix/key/v2/query/{serverName}.
func (s *Server) queryKeysOf(r *request) (any, error) {
	return s.documents(r, map[string]keyring.Queried{r.PathValue("server"): nil})
}

func (s *Server) documents(r *request, servers map[string]keyring.Queried) (any, error) {
	found, err := s.Keys.Query(r.Context(), servers)
	if err != nil {
		return nil, rooms.Bad("M_INVALID_PARAM", "%v", err)
	}
	documents := make([]json.RawMessage, len(found))
	for i, document := range found {
		documents[i] = document
	}
	return map[string]any{"server_keys": documents}, nil
}
