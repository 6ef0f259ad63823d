package senderkey

// A key that anybody can compute belongs to nobody. Whether one is random cannot be seen; whether it follows from what everybody
// knows, by the derivations listed here, can.

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"fmt"
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/pseudoid"
)

// derivation makes a seed of 32 bytes from a text.
type derivation struct {
	name string
	seed func(text []byte) []byte
}

var derivations = []derivation{
	{"the text itself, cut or filled up to 32 bytes", func(text []byte) []byte {
		seed := make([]byte, ed25519.SeedSize)
		copy(seed, text)
		return seed
	}},
	{"SHA-256", func(text []byte) []byte { sum := sha256.Sum256(text); return sum[:] }},
	{"SHA-256 twice", func(text []byte) []byte { sum := sha256.Sum256(text); sum = sha256.Sum256(sum[:]); return sum[:] }},
	{"SHA-256 in hexadecimal, cut to 32 bytes", func(text []byte) []byte {
		return fmt.Appendf(nil, "%x", sha256.Sum256(text))[:ed25519.SeedSize]
	}},
	{"SHA-512, cut to 32 bytes", func(text []byte) []byte { sum := sha512.Sum512(text); return sum[:ed25519.SeedSize] }},
	{"SHA-512/256", func(text []byte) []byte { sum := sha512.Sum512_256(text); return sum[:] }},
	{"SHA3-256", func(text []byte) []byte { sum := sha3.Sum256(text); return sum[:] }},
}

// separators stand between the parts of a text.
var separators = []string{"", " ", ":", "|", "/", "\n", "\x00"}

const (
	// mostParts is how many of the known texts a derivation puts together.
	mostParts = 3
	// mostPublished is how many of the server's published keys are tried: what there is to try grows with the third power.
	mostPublished = 5
)

// described is the list, for the report.
func described() string {
	var names []string
	for _, each := range derivations {
		names = append(names, each.name)
	}
	return fmt.Sprintf("the key is none whose seed is %s, of one to %d of the user ID, its localpart, the room ID, the server name and up to %d of "+
		"the server's published keys (in base64 and as bytes) in any order, with one of %q between them; nor HMAC-SHA-256 of one under another; nor is the "+
		"key itself such a seed", strings.Join(names, ", "), mostParts, mostPublished, separators)
}

// derivedAs returns how a key follows from known texts, given by their names, or "". It returns an error if ctx is done before everything
// was tried.
func derivedAs(ctx context.Context, key string, known map[string]string) (how string, err error) {
	try := func(what string, seed []byte) {
		if how == "" && (pseudoid.EncodeBase64(seed) == key ||
			string(pseudoid.KeyPairOf(ed25519.NewKeyFromSeed(seed)).Public) == key) {
			how = what
		}
	}
	for one, text := range known {
		for other, secret := range known {
			mac := hmac.New(sha256.New, []byte(secret))
			mac.Write([]byte(text))
			try("HMAC-SHA-256 of "+one+" under "+other, mac.Sum(nil))
		}
	}
	var put func(names, texts []string)
	put = func(names, texts []string) {
		if how != "" || ctx.Err() != nil {
			return
		}
		for i, separator := range separators {
			if i > 0 && len(texts) < 2 {
				break
			}
			for _, each := range derivations {
				try(fmt.Sprintf("%s of %s, joined by %q", each.name, strings.Join(names, ", "), separator), each.seed([]byte(strings.Join(texts, separator))))
			}
		}
		if len(names) == mostParts {
			return
		}
	next:
		for name, text := range known {
			for _, taken := range names {
				if taken == name {
					continue next
				}
			}
			put(append(names[:len(names):len(names)], name), append(texts[:len(texts):len(texts)], text))
		}
	}
	for name, text := range known {
		put([]string{name}, []string{text})
	}
	if how == "" {
		err = context.Cause(ctx)
	}
	return how, err
}

// The private part of a key resides on the sender's server (MSC4014, Proposal 1): nobody else may be able to compute it.
var _ = check.Register(check.Check{
	Name:     "a sender key does not follow from what everybody knows",
	Requires: []string{"sender-key/not-derivable"},
	Body: func(c *check.C) {
		seen := openRoomOfTwo(c)
		tried := seen.published[:min(len(seen.published), mostPublished)]
		for userID, senderKey := range seen.keys {
			localpart, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
			known := map[string]string{"the user ID": userID, "the localpart": localpart, "the room ID": seen.roomID, "the server name": seen.server}
			for i, key := range tried {
				known[fmt.Sprintf("published key %d", i+1)] = key
				if raw, err := pseudoid.DecodeBase64(key); err == nil {
					known[fmt.Sprintf("the bytes of published key %d", i+1)] = string(raw)
				}
			}
			how, err := derivedAs(c.Context(), senderKey, known)
			if err != nil {
				c.SuiteError(fmt.Errorf("trying what the key of %s may follow from: %w", userID, err))
			}
			if how != "" {
				c.Errorf("everybody can compute the private part of the key of %s: its seed is %s", userID, how)
			}
		}
		c.Notef("%s", described())
		if left := len(seen.published) - len(tried); left > 0 {
			c.Notef("the server publishes %d keys, of which the first %d were tried", len(seen.published), len(tried))
		}
	},
})
