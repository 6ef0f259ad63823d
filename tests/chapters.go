package main

// The chapters of the catalogue that have checks. Importing one registers its checks.
import (
	_ "msc4014/tests/auth"
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
