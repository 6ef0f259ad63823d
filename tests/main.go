// The suite's binary: the checks of all chapters, and internal/suite, which runs them.
package main

import (
	"msc4014/internal/suite"
	_ "msc4014/tests/all"
)

func main() { suite.Main() }
