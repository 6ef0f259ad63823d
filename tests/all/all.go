// Package all registers the checks of all chapters.
package all

import (
	// Importing a chapter registers its checks.
	_ "msc4014/tests/auth"
	_ "msc4014/tests/client-view"
	_ "msc4014/tests/event-format"
	_ "msc4014/tests/invite"
	_ "msc4014/tests/mapping"
	_ "msc4014/tests/membership"
	_ "msc4014/tests/redaction"
	_ "msc4014/tests/resilience"
	_ "msc4014/tests/room-version"
	_ "msc4014/tests/routing"
	_ "msc4014/tests/sender-key"
	_ "msc4014/tests/signing"
	_ "msc4014/tests/unverified"
)
