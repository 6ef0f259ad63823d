// The suite's binary: the chapters of checks, and internal/suite, which runs them.
package main

import (
	"msc4014/internal/suite"

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

func main() { suite.Main() }
