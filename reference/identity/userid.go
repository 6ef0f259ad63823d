package identity

import (
	"fmt"
	"net/netip"
	"regexp"
)

// userIDPattern is the grammar of user IDs (appendices, "User Identifiers", with the localparts of "Historical User
// IDs", but not empty ones). Its groups are the server name ("Server Name") and, of an IPv6 address in it, what is in
// the brackets.
//
// gomatrixserverlib's spec.NewUserID takes any localpart, IPv4 addresses in brackets and some IPv6 addresses without,
// and refuses ports above 65535, which the grammar has.
var userIDPattern = regexp.MustCompile(`^@[!-9;-~]+:((?:[A-Za-z0-9.-]+|\[([^\]]*)\])(?::[0-9]{1,5})?)$`)

// maxUserIDBytes includes the sigil and the server name.
const maxUserIDBytes = 255

// UserIDDomain returns the server name in a user ID, with its port if it has one, or an error if the text is not a user
// ID.
func UserIDDomain(userID string) (string, error) {
	if len(userID) > maxUserIDBytes {
		return "", fmt.Errorf("user ID %.60q... has %d bytes, at most %d are allowed", userID, len(userID), maxUserIDBytes)
	}
	match := userIDPattern.FindStringSubmatch(userID)
	if match == nil {
		return "", fmt.Errorf("%q is not a user ID, which would be @localpart:domain", userID)
	}
	if domain, literal := match[1], match[2]; domain[0] == '[' {
		if ip, err := netip.ParseAddr(literal); err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", fmt.Errorf("user ID %q has no IPv6 address in the brackets", userID)
		}
	}
	return match[1], nil
}

// CheckUserID returns an error if the text is not a user ID.
func CheckUserID(userID string) error {
	_, err := UserIDDomain(userID)
	return err
}
