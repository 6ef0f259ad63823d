// Package routing judges chapter routing: events go to the servers that verified mappings name, and to no other (MSC1228,
// Handling the mxid mapping: the mapping tells servers where to send events, reason 3), and those servers may request the
// room's history.
package routing
