// Devices and their keys for end-to-end encryption.

package csapi

import (
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// UploadDeviceKeys generates identity keys for the client's device, signs and uploads them. CS API: Uploading keys.
func (c *Client) UploadDeviceKeys(ctx context.Context) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("generate keys for %s: %w", c, err)
	}
	identity, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("generate keys for %s: %w", c, err)
	}
	encode := base64.RawStdEncoding.EncodeToString
	keys := map[string]any{
		"user_id": c.UserID, "device_id": c.DeviceID,
		"algorithms": []string{"m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"},
		"keys": map[string]string{
			"curve25519:" + c.DeviceID: encode(identity.PublicKey().Bytes()), "ed25519:" + c.DeviceID: encode(public),
		},
	}
	canonical, err := json.Marshal(keys) // canonical, since Marshal sorts maps and nothing here is escaped
	if err != nil {
		return fmt.Errorf("encode the keys of %s: %w", c, err)
	}
	keys["signatures"] = map[string]any{c.UserID: map[string]string{"ed25519:" + c.DeviceID: encode(ed25519.Sign(private, canonical))}}
	return only(c.post(ctx, V3("keys", "upload"), map[string]any{"device_keys": keys}))
}
