// Package redaction judges chapter redaction: what the redaction of an event takes away, what it must leave, and who may
// redact.
package redaction
