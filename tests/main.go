// The suite's binary: the checks, and internal/suite, which runs them.
package main

import "msc4014/internal/suite"

func main() { suite.Main() }
