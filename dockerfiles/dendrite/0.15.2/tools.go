//go:build tools

// This file pins the candidate: the suite builds the program named here, at the version in its go.mod.
package tools

import _ "github.com/element-hq/dendrite/cmd/dendrite"
