// This file validates user IDs and server names (Matrix specification, appendices, "User Identifiers" and "Server Name").

package pseudoid

import (
	"fmt"
	"net/netip"
	"strings"
)

// maxUserIDLength is in bytes, including sigil and domain.
const maxUserIDLength = 255

// ValidUserID returns an error if s is not a user ID. It accepts localparts of printable ASCII characters except ':' ("Historical User
// IDs"), but not empty ones.
func ValidUserID(s string) error {
	_, err := UserIDDomain(s)
	return err
}

// UserIDDomain returns the server name of a user ID; the errors are those of ValidUserID.
func UserIDDomain(userID string) (string, error) {
	if len(userID) > maxUserIDLength {
		return "", fmt.Errorf("user ID %s: it has %d bytes, at most %d are allowed", quote(userID), len(userID), maxUserIDLength)
	}
	rest, ok := strings.CutPrefix(userID, "@")
	if !ok {
		return "", fmt.Errorf("user ID %s: it does not begin with '@'", quote(userID))
	}
	localpart, domain, ok := strings.Cut(rest, ":")
	switch {
	case !ok:
		return "", fmt.Errorf("user ID %s: it has no ':' before a server name", quote(userID))
	case localpart == "":
		return "", fmt.Errorf("user ID %s: its localpart is empty", quote(userID))
	}
	for i := range len(localpart) {
		if c := localpart[i]; c < '!' || c > '~' {
			return "", fmt.Errorf("user ID %s: its localpart has a character that is not printable ASCII", quote(userID))
		}
	}
	if err := validServerName(domain); err != nil {
		return "", fmt.Errorf("user ID %s: %w", quote(userID), err)
	}
	return domain, nil
}

// validServerName returns an error if name is not an IPv4 address, an IPv6 address in brackets, or a DNS name, with an optional port.
func validServerName(name string) error {
	host, port := name, ""
	hasPort := false
	if literal, rest, bracketed := strings.Cut(name, "]"); bracketed && strings.HasPrefix(name, "[") {
		address, err := netip.ParseAddr(literal[1:])
		if err != nil || !address.Is6() || address.Zone() != "" {
			return fmt.Errorf("server name %s: there is no IPv6 address between the brackets", quote(name))
		}
		if rest != "" && rest[0] != ':' {
			return fmt.Errorf("server name %s: the address is followed by something other than a port", quote(name))
		}
		port, hasPort = strings.CutPrefix(rest, ":")
	} else {
		host, port, hasPort = strings.Cut(name, ":")
		if host == "" {
			return fmt.Errorf("server name %s: its host is empty", quote(name))
		}
		for i := range len(host) {
			c := host[i]
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.') {
				return fmt.Errorf("server name %s: a host has only letters, digits, '-' and '.'", quote(name))
			}
		}
	}
	if !hasPort {
		return nil
	}
	if len(port) < 1 || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return fmt.Errorf("server name %s: its port is not 1 to 5 digits", quote(name))
	}
	return nil
}
