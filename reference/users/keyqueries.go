package users

// This file queries and claims the keys of local and remote users.

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"msc4014/reference/store"
)

// Keys is the response to POST /keys/query: keys by user ID, device keys also by device ID, and failures by server
// name.
type Keys struct {
	DeviceKeys      map[string]map[string]json.RawMessage `json:"device_keys"`
	MasterKeys      map[string]json.RawMessage            `json:"master_keys,omitempty"`
	SelfSigningKeys map[string]json.RawMessage            `json:"self_signing_keys,omitempty"`
	UserSigningKeys map[string]json.RawMessage            `json:"user_signing_keys,omitempty"`
	Failures        map[string]any                        `json:"failures,omitzero"`
}

func newKeys() Keys {
	return Keys{
		DeviceKeys: map[string]map[string]json.RawMessage{}, MasterKeys: map[string]json.RawMessage{},
		SelfSigningKeys: map[string]json.RawMessage{}, UserSigningKeys: map[string]json.RawMessage{},
	}
}

// LocalKeys returns the keys of local users. asked has the device IDs by user ID, an empty list meaning all. Only asker
// gets its own user-signing key; asker is "" for another server.
func (u *Users) LocalKeys(asker string, asked map[string][]string) Keys {
	keys := newKeys()
	for userID, deviceIDs := range asked {
		if !u.Local(userID) {
			continue
		}
		devices := map[string]json.RawMessage{}
		for _, device := range u.Devices(userID) {
			if device.Keys != nil && wanted(deviceIDs, device.ID) {
				devices[device.ID] = device.shownKeys()
			}
		}
		keys.DeviceKeys[userID] = devices
		keys.addSigningKeys(userID, u.SigningKeysOf(userID), asker == userID)
	}
	return keys
}

func wanted(deviceIDs []string, id string) bool {
	for _, other := range deviceIDs {
		if other == id {
			return true
		}
	}
	return len(deviceIDs) == 0
}

func (k *Keys) addSigningKeys(userID string, signing SigningKeys, own bool) {
	if signing.Master != nil {
		k.MasterKeys[userID] = signing.Master
	}
	if signing.SelfSigning != nil {
		k.SelfSigningKeys[userID] = signing.SelfSigning
	}
	if own && signing.UserSigning != nil {
		k.UserSigningKeys[userID] = signing.UserSigning
	}
}

// QueryKeys returns the keys of any users. Other servers are asked concurrently, until the context ends. If one does
// not answer, the known keys of its users are returned, or a failure if there are none.
func (u *Users) QueryKeys(ctx context.Context, asker string, asked map[string][]string) Keys {
	keys := u.LocalKeys(asker, asked)
	keys.Failures = map[string]any{} // clients expect the field, even if it is empty
	var lock sync.Mutex
	atServers(u, asked, func(server string, of map[string][]string) {
		answer, err := u.queryServer(ctx, server, of)
		lock.Lock()
		defer lock.Unlock()
		for userID, deviceIDs := range of {
			if err == nil {
				if devices, found := answer.DeviceKeys[userID]; found {
					keys.DeviceKeys[userID] = devices
				}
				keys.addSigningKeys(userID, SigningKeys{Master: answer.MasterKeys[userID], SelfSigning: answer.SelfSigningKeys[userID]}, false)
				continue
			}
			known, found := u.remotes.Get(userID)
			if !found {
				keys.Failures[server] = map[string]string{"errcode": "M_UNKNOWN", "error": err.Error()}
				continue
			}
			keys.DeviceKeys[userID] = known.asked(deviceIDs)
			keys.addSigningKeys(userID, known.Signing, false)
		}
	})
	return keys
}

// queryServer asks a server for keys of its users, and stores the response if all devices were requested.
func (u *Users) queryServer(ctx context.Context, server string, of map[string][]string) (Keys, error) {
	raw, err := u.remote.QueryKeys(ctx, server, mustMarshal(map[string]any{"device_keys": of}))
	if err != nil {
		return Keys{}, err
	}
	var answer Keys
	if err := json.Unmarshal(raw, &answer); err != nil {
		return Keys{}, fmt.Errorf("read the keys that %s answered: %w", server, err)
	}
	return answer, u.Store.Update(func(tx *store.Tx) error {
		for userID, deviceIDs := range of {
			if devices, found := answer.DeviceKeys[userID]; found && len(deviceIDs) == 0 {
				u.remotes.Put(tx, userID, remoteDevices{
					Devices: devices, Signing: SigningKeys{Master: answer.MasterKeys[userID], SelfSigning: answer.SelfSigningKeys[userID]},
				})
			}
		}
		return nil
	})
}

// ClaimKeys claims one-time keys of any users; failures are by server name.
func (u *Users) ClaimKeys(ctx context.Context, claims Claims) (ClaimedKeys, map[string]any, error) {
	local := Claims{}
	for userID, devices := range claims {
		if u.Local(userID) {
			local[userID] = devices
		}
	}
	claimed, err := u.ClaimLocalKeys(local)
	if err != nil {
		return nil, nil, err
	}
	failures := map[string]any{}
	var lock sync.Mutex
	atServers(u, claims, func(server string, of map[string]map[string]string) {
		answer, err := u.claimAt(ctx, server, of)
		lock.Lock()
		defer lock.Unlock()
		if err != nil {
			failures[server] = map[string]string{"errcode": "M_UNKNOWN", "error": err.Error()}
		}
		for userID := range of {
			if keys, found := answer[userID]; found {
				claimed[userID] = keys
			}
		}
	})
	return claimed, failures, nil
}

func (u *Users) claimAt(ctx context.Context, server string, of Claims) (ClaimedKeys, error) {
	raw, err := u.remote.ClaimKeys(ctx, server, mustMarshal(map[string]any{"one_time_keys": of}))
	if err != nil {
		return nil, err
	}
	var answer struct {
		OneTimeKeys ClaimedKeys `json:"one_time_keys"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("read the keys that %s handed out: %w", server, err)
	}
	return answer.OneTimeKeys, nil
}

// atServers calls do concurrently for each other server, with the entries of its users, and returns when all calls are
// done. User IDs without a server are ignored.
func atServers[V any](u *Users, byUser map[string]V, do func(server string, of map[string]V)) {
	servers := map[string]map[string]V{}
	for userID, value := range byUser {
		server := serverOf(userID)
		if server == "" || server == u.Server {
			continue
		}
		if servers[server] == nil {
			servers[server] = map[string]V{}
		}
		servers[server][userID] = value
	}
	var all sync.WaitGroup
	for server, of := range servers {
		all.Go(func() { do(server, of) })
	}
	all.Wait()
}
