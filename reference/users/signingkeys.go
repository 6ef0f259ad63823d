package users

// This file manages cross-signing keys, and signatures on keys (client-server API, "Cross-signing").

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/reference/store"
)

// SigningKeys are the cross-signing keys of a user; missing ones are nil.
type SigningKeys struct {
	Master      json.RawMessage `json:"master_key,omitempty"`
	SelfSigning json.RawMessage `json:"self_signing_key,omitempty"`
	UserSigning json.RawMessage `json:"user_signing_key,omitempty"` // shown only to the user
}

// SigningKeysOf returns the cross-signing keys of a local user.
func (u *Users) SigningKeysOf(userID string) SigningKeys {
	keys, _ := u.signing.Get(userID)
	return keys
}

// UploadSigningKeys stores cross-signing keys; nil keys are left unchanged. It returns M_INVALID_PARAM if a key is not
// the user's.
func (u *Users) UploadSigningKeys(userID string, upload SigningKeys) error {
	for _, key := range []json.RawMessage{upload.Master, upload.SelfSigning, upload.UserSigning} {
		if key != nil && gjson.GetBytes(key, "user_id").String() != userID {
			return refuse("M_INVALID_PARAM", "a cross-signing key must name %s as its user", userID)
		}
	}
	return u.changeSigningKeys(userID, func(keys *SigningKeys) {
		for _, part := range []struct {
			into *json.RawMessage
			key  json.RawMessage
		}{{&keys.Master, upload.Master}, {&keys.SelfSigning, upload.SelfSigning}, {&keys.UserSigning, upload.UserSigning}} {
			if part.key != nil {
				*part.into = part.key
			}
		}
	})
}

func (u *Users) changeSigningKeys(userID string, change func(*SigningKeys)) error {
	var keys SigningKeys
	err := u.publish(func(tx *store.Tx, position int64) error {
		keys = u.SigningKeysOf(userID)
		change(&keys)
		u.signing.Put(tx, userID, keys)
		u.listChanged(tx, userID, position)
		return nil
	})
	if err == nil {
		u.send(u.rooms.ServersSharing(userID), "m.signing_key_update", keys.update(userID))
	}
	return err
}

// SignatureFailures has the errors of rejected signatures, by user ID and by key or device ID.
type SignatureFailures map[string]map[string]any

// UploadSignatures adds signatures of a user to keys. upload has objects with signatures, by the owner's user ID and
// then by device ID or public key. Signatures by other users are ignored.
func (u *Users) UploadSignatures(userID string, upload map[string]map[string]json.RawMessage) (SignatureFailures, error) {
	failures := SignatureFailures{}
	for owner, objects := range upload {
		for id, signed := range objects {
			signatures := gjson.GetBytes(signed, "signatures."+gjson.Escape(userID))
			err := u.addSignatures(owner, id, userID, signatures)
			if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
				if failures[owner] == nil {
					failures[owner] = map[string]any{}
				}
				failures[owner][id] = map[string]string{"errcode": refusal.Code, "error": refusal.Message}
			} else if err != nil {
				return nil, err
			}
		}
	}
	return failures, nil
}

func (u *Users) addSignatures(owner, id, signer string, signatures gjson.Result) error {
	if !signatures.IsObject() {
		return refuse("M_INVALID_SIGNATURE", "there is no signature of %s on %s", signer, id)
	}
	if _, found := u.Device(Holder{owner, id}); found && owner == signer {
		return u.changeDevice(Holder{owner, id}, func(d *Device) bool {
			d.Keys = withSignatures(d.Keys, signer, signatures)
			return d.Keys != nil
		})
	}
	for _, part := range []func(*SigningKeys) *json.RawMessage{
		func(k *SigningKeys) *json.RawMessage { return &k.Master },
		func(k *SigningKeys) *json.RawMessage { return &k.SelfSigning },
		func(k *SigningKeys) *json.RawMessage { return &k.UserSigning },
	} {
		keys := u.SigningKeysOf(owner)
		if gjson.GetBytes(*part(&keys), "keys."+gjson.Escape("ed25519:"+id)).Exists() {
			return u.changeSigningKeys(owner, func(k *SigningKeys) { *part(k) = withSignatures(*part(k), signer, signatures) })
		}
	}
	return refuse("M_NOT_FOUND", "%s has no key or device %s here", owner, id)
}

// withSignatures returns a key with more signatures of a signer.
func withSignatures(key json.RawMessage, signer string, signatures gjson.Result) json.RawMessage {
	if key == nil {
		return nil
	}
	signed := slices.Clone(key)
	signatures.ForEach(func(keyID, signature gjson.Result) bool {
		path := fmt.Sprintf("signatures.%s.%s", gjson.Escape(signer), gjson.Escape(keyID.String()))
		if changed, err := sjson.SetRawBytes(signed, path, []byte(signature.Raw)); err == nil {
			signed = changed
		}
		return true
	})
	return signed
}
