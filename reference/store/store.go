// Package store keeps a server's persistent data: maps that are read from memory and written through to SQLite, so that
// the rest of the server deals with plain Go values. Data is durable once Update returns, even after SIGKILL.
//
// The driver is modernc.org/sqlite, SQLite in Go, so that the server is one static binary, for images without a base.
package store

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// databaseFile is the name of the database file.
const databaseFile = "reference.db"

// Store is one database. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	writing sync.Mutex // one Update at a time
	failed  error      // set when memory and database differ: nothing is written after that
}

// Open opens the database in a directory, and creates it if necessary.
func Open(dir string) (*Store, error) {
	path := filepath.Join(dir, databaseFile)
	// WAL with synchronous=NORMAL writes each transaction to the file before Commit returns. Killing the process loses
	// none; only a power failure can.
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if err := db.Ping(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database %s: %w", path, err), db.Close())
	}
	return &Store{db: db}, nil
}

// Close closes the database. Nothing may be put afterwards.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.db.Close()
}

// Tx is a running Update. It must not be used after Update returns.
type Tx struct {
	sql *sql.Tx
	err error // the first error
}

// Update calls do in one transaction. What do puts is visible in the maps at once, and durable when Update returns nil.
//
// If do returns an error, nothing is written; do must therefore check everything that can fail before it puts anything.
// If the database cannot be written (a full disk), this Update and all later ones fail: memory would be ahead of it,
// and a server that acknowledges what it may lose is worse than one that stops.
func (s *Store) Update(do func(tx *Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.failed != nil {
		return s.failed
	}
	transaction, err := s.db.Begin()
	if err != nil {
		return s.fail(err)
	}
	tx := &Tx{sql: transaction}
	if err := do(tx); err != nil {
		return errors.Join(err, transaction.Rollback())
	}
	if tx.err != nil {
		return s.fail(errors.Join(tx.err, transaction.Rollback()))
	}
	if err := transaction.Commit(); err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *Store) fail(err error) error {
	s.failed = fmt.Errorf("the database cannot be written, nothing more is accepted until the server is started again: %w", err)
	return s.failed
}

// exec runs a statement of a transaction and records the first error.
func (tx *Tx) exec(statement string, arguments ...any) {
	if tx.err == nil {
		_, tx.err = tx.sql.Exec(statement, arguments...)
	}
}

// Key joins parts to a key of a Map. Different parts give different keys, whatever they contain; keys with the same
// first parts are adjacent in All.
func Key(parts ...string) string {
	escaped := make([]string, len(parts))
	for i, part := range parts {
		escaped[i] = escape.Replace(part)
	}
	return strings.Join(escaped, "\x00")
}

// Parts splits a key made by Key.
func Parts(key string) []string {
	parts := strings.Split(key, "\x00")
	for i, part := range parts {
		parts[i] = unescape.Replace(part)
	}
	return parts
}

var (
	escape   = strings.NewReplacer("\x00", "\x01\x01", "\x01", "\x01\x02")
	unescape = strings.NewReplacer("\x01\x01", "\x00", "\x01\x02", "\x01")
)
