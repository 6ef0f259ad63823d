// Package senderkey judges chapter sender-key: one key for each user and room, the same one for as long as possible, and what
// that means for bans. A peer in the room, the witness, receives the keys. Whether keys outlive a restart is judged in
// package resilience, with everything else that must.
package senderkey
