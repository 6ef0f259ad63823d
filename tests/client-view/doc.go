// Package clientview judges chapter client-view: clients work without any changes to their code, and are sent sender keys beside user
// IDs (MSC4014, Hard requirements).
//
// What clients read is a table of endpoints (endpoints.go) and facts (facts.go): each endpoint is requested once of a room with a member
// of each kind (preparation.go), and each fact of it is a check of its own. A new endpoint is a row.
package clientview
