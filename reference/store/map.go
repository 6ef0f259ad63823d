package store

// This file implements the map that is stored in SQLite.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Map is a map with string keys, kept in memory and in a table. Values are stored as JSON; they must not be changed
// once they were put. It is safe for concurrent use.
type Map[V any] struct {
	table  string
	mu     sync.RWMutex
	values map[string]V
}

// NewMap loads the map stored in the table called name, and creates the table if necessary. The name must be a plain
// identifier, and each must be used for one map only.
func NewMap[V any](s *Store, name string) (*Map[V], error) {
	m := &Map[V]{table: `"` + name + `"`, values: map[string]V{}}
	if _, err := s.db.Exec("CREATE TABLE IF NOT EXISTS " + m.table + " (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"); err != nil {
		return nil, fmt.Errorf("make the table %s: %w", name, err)
	}
	rows, err := s.db.Query("SELECT key, value FROM " + m.table)
	if err != nil {
		return nil, fmt.Errorf("read the table %s: %w", name, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key, raw []byte
		if err := rows.Scan(&key, &raw); err != nil {
			return nil, fmt.Errorf("read the table %s: %w", name, err)
		}
		var value V
		if err := json.Unmarshal(raw, &value); err != nil {
			return nil, fmt.Errorf("read %q of the table %s: %w", key, name, err)
		}
		m.values[string(key)] = value
	}
	return m, rows.Err()
}

// Get returns the value of a key, and whether there is one.
func (m *Map[V]) Get(key string) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	value, ok := m.values[key]
	return value, ok
}

// Put sets the value of a key.
func (m *Map[V]) Put(tx *Tx, key string, value V) {
	raw, err := marshal(value)
	if err != nil {
		if tx.err == nil {
			tx.err = fmt.Errorf("write %q to the table %s: %w", key, m.table, err)
		}
		return
	}
	tx.exec("INSERT INTO "+m.table+" (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", []byte(key), raw)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = value
}

// marshal writes JSON without escaping '<', '>' and '&': events are kept as their servers wrote them.
func marshal(value any) ([]byte, error) {
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(written.Bytes(), []byte("\n")), err
}

// Delete removes a key.
func (m *Map[V]) Delete(tx *Tx, key string) {
	tx.exec("DELETE FROM "+m.table+" WHERE key = ?", []byte(key))
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
}

// Len returns the number of keys.
func (m *Map[V]) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.values)
}

// All iterates over a snapshot of the map, sorted by key.
func (m *Map[V]) All() iter.Seq2[string, V] {
	m.mu.RLock()
	values := maps.Clone(m.values)
	m.mu.RUnlock()
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(values)) {
			if !yield(key, values[key]) {
				return
			}
		}
	}
}
