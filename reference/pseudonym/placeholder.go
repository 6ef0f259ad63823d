package pseudonym

// This file makes up user IDs for members that cannot be verified.

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"msc4014/reference/identity"
)

// placeholderPrefix begins the localpart of every placeholder.
const placeholderPrefix = "_unverified_"

// Placeholder returns the user ID under which clients see the holder of key while its claim to userID is unverified.
//
// If @localpart:domain cannot be verified by server example.com, it becomes @_unverified_localpart_domain:example.com
// (MSC4014, Changes 6): a fake one, since an empty or malformed user ID would break clients (option A), and the claimed
// one would let malicious servers pretend that somebody is in a room (option C). It has this server's name, so that all
// requests for it come here.
//
// The template does not cover characters that no localpart may have, as in ports and IPv6 literals, results longer than
// 255 bytes, or two members that claim the same user ID (unverified/placeholder-form). By default such a placeholder is
// changed just enough to make it a legal and unique user ID; taken reports whether a user ID is already in use. The
// result is "" if the reading hides the member.
func (r Rules) Placeholder(userID string, key identity.SenderKey, taken func(userID string) bool) string {
	localpart, domain, ok := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	if !ok || identity.CheckUserID(userID) != nil {
		return r.PlaceholderOfKey(key)
	}
	letter := "@" + placeholderPrefix + localpart + "_" + domain + ":" + r.Server
	legal := !strings.ContainsAny(domain, ":[]") && identity.CheckUserID(letter) == nil
	switch r.Readings.PlaceholderForm {
	case "to-the-letter":
		return letter
	case "no-placeholder":
		if !legal || taken(letter) {
			return ""
		}
		return letter
	case "legal-not-unique":
		if legal {
			return letter
		}
		return r.legalPlaceholder(localpart+"_"+strings.NewReplacer(":", "_", "[", "", "]", "").Replace(domain), "")
	}
	if legal && !taken(letter) {
		return letter
	}
	// The escapes are those of the specification for localparts ("Mapping from other character sets"). A domain
	// contains no '=' or '_' of its own, so different users keep different placeholders.
	escaped := localpart + "_" + strings.NewReplacer(":", "=3a", "[", "=5b", "]", "=5d").Replace(domain)
	if whole := "@" + placeholderPrefix + escaped + ":" + r.Server; identity.CheckUserID(whole) == nil && !taken(whole) {
		return whole
	}
	return r.legalPlaceholder(escaped, "="+digest(userID+" "+string(key)))
}

// legalPlaceholder truncates a localpart so that the placeholder, with its suffix, has at most 255 bytes.
func (r Rules) legalPlaceholder(localpart, suffix string) string {
	room := 255 - len("@"+placeholderPrefix+suffix+":"+r.Server)
	if room < 0 {
		room = 0
	}
	return "@" + placeholderPrefix + localpart[:min(len(localpart), room)] + suffix + ":" + r.Server
}

// PlaceholderOfKey returns the user ID under which clients see a member without a readable user ID: its member event
// arrived redacted, has no valid mapping, or had one that is no longer shown. The text has no template for this. The key itself
// is not shown (MSC4014, Changes 6, option A), so the placeholder has a digest of it.
func (r Rules) PlaceholderOfKey(key identity.SenderKey) string {
	return "@" + placeholderPrefix + "key=" + digest(string(key)) + ":" + r.Server
}

// digest returns the first 16 hexadecimal digits of a SHA-256 hash.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// MayRegister reports whether a local user may have a localpart: by default none that could be mistaken for a
// placeholder (unverified/namespace).
func (r Rules) MayRegister(localpart string) bool {
	return r.Readings.PlaceholderNames == "free" || !strings.HasPrefix(strings.ToLower(localpart), placeholderPrefix)
}
