package store

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func open(t *testing.T, dir string) (*Store, *Map[string]) {
	t.Helper()
	s, err := Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	m, err := NewMap[string](s, "things")
	require.NoError(t, err)
	return s, m
}

func put(t *testing.T, s *Store, m *Map[string], key, value string) {
	t.Helper()
	require.NoError(t, s.Update(func(tx *Tx) error { m.Put(tx, key, value); return nil }))
}

func TestValuesAreThereAfterOpeningAgain(t *testing.T) {
	dir := t.TempDir()
	s, m := open(t, dir)
	put(t, s, m, Key("a\x00", "b\x01"), "one")
	put(t, s, m, "gone", "two")
	put(t, s, m, "", "empty")
	put(t, s, m, "changed", "before")
	put(t, s, m, "changed", "after")
	require.NoError(t, s.Update(func(tx *Tx) error { m.Delete(tx, "gone"); return nil }))
	require.NoError(t, s.Close())

	_, m = open(t, dir)
	found := map[string]string{}
	for key, value := range m.All() {
		found[key] = value
	}
	assert.Equal(t, map[string]string{Key("a\x00", "b\x01"): "one", "": "empty", "changed": "after"}, found)
}

func TestValuesAreSpelledAsTheyWerePut(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir)
	m, err := NewMap[json.RawMessage](s, "raw")
	require.NoError(t, err)
	require.NoError(t, s.Update(func(tx *Tx) error { m.Put(tx, "key", json.RawMessage(`"<&>"`)); return nil }))
	require.NoError(t, s.Close())
	s, _ = open(t, dir)
	m, err = NewMap[json.RawMessage](s, "raw")
	require.NoError(t, err)
	value, _ := m.Get("key")
	assert.Equal(t, `"<&>"`, string(value))
}

func TestFailedUpdateWritesNothing(t *testing.T) {
	dir := t.TempDir()
	s, m := open(t, dir)
	refused := errors.New("refused")
	assert.ErrorIs(t, s.Update(func(*Tx) error { return refused }), refused)
	put(t, s, m, "key", "value")
	require.NoError(t, s.Close())
	_, m = open(t, dir)
	assert.Equal(t, 1, m.Len())
}

func TestNothingIsAcceptedOnceTheDatabaseFailed(t *testing.T) {
	s, m := open(t, t.TempDir())
	require.NoError(t, s.db.Close())
	assert.Error(t, s.Update(func(tx *Tx) error { m.Put(tx, "key", "value"); return nil }))
	assert.ErrorContains(t, s.Update(func(*Tx) error { return nil }), "cannot be written")
}

func TestKeysOfDifferentPartsDiffer(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{{"a", "b"}, {"ab"}, {"a\x00b"}, {"a\x01b"}, {"a", "", "b"}, {"\x01\x01"}, {"\x00"}, {"\x00", ""}} {
		key := Key(parts...)
		assert.NotContains(t, seen, key, "of %q", parts)
		seen[key] = parts
		assert.Equal(t, parts, Parts(key))
	}
}

// TestKilledProcessLosesNothing lets a child put values, telling each once Update returned, and kill itself.
func TestKilledProcessLosesNothing(t *testing.T) {
	if dir := os.Getenv("STORE_TEST_DIR"); dir != "" {
		s, m := open(t, dir)
		for _, key := range []string{"1", "2", "3"} {
			put(t, s, m, key, "value")
		}
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLosesNothing$")
	child.Env = append(os.Environ(), "STORE_TEST_DIR="+dir)
	assert.ErrorContains(t, child.Run(), "killed")
	_, m := open(t, dir)
	assert.Equal(t, 3, m.Len())
}
