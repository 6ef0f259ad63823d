package scenes

import (
	"strings"

	"msc4014/helpers/pseudoid"
)

// Padded spells a key with padding.
func Padded(key pseudoid.SenderKey) pseudoid.SenderKey { return key + "=" }

// UrlSafe spells a key in the alphabet that is safe in URLs.
func UrlSafe(key pseudoid.SenderKey) pseudoid.SenderKey {
	return pseudoid.SenderKey(strings.NewReplacer("+", "-", "/", "_").Replace(string(key)))
}

// KeyWithSigns makes a key that the two alphabets spell differently.
func KeyWithSigns() pseudoid.KeyPair {
	for {
		if pair := pseudoid.GenerateKeyPair(); UrlSafe(pair.Public) != pair.Public {
			return pair
		}
	}
}
