package realclient

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scripted is a program that answers each command by its answer.
type scripted struct {
	io.Writer
	io.Reader
}

func (*scripted) Log() string                 { return "the end of its log" }
func (*scripted) Close(context.Context) error { return nil }

// start starts a program whose output begins with first, and which answers commands by answer, without an ID; "" is not an answer.
func start(t *testing.T, first string, answer func(command map[string]any) string) (*Program, error) {
	t.Helper()
	commands, stdin := io.Pipe()
	stdout, answers := io.Pipe()
	t.Cleanup(func() { _, _ = stdin.Close(), stdout.Close() })
	go func() {
		_, _ = fmt.Fprintln(answers, first)
		for lines := bufio.NewScanner(commands); lines.Scan(); {
			var command map[string]any
			_ = json.Unmarshal(lines.Bytes(), &command)
			switch answered := answer(command); answered {
			case "":
			case "end":
				_ = answers.Close()
			default:
				_, _ = fmt.Fprintf(answers, `{"id":%v,%s}`+"\n", command["id"], answered)
			}
		}
	}()
	return Start(t.Context(), &scripted{stdin, stdout})
}

const greeting = `{"software": "a client 1.0"}`

func TestNioWaitsForItsModel(t *testing.T) {
	program, err := start(t, greeting, func(command map[string]any) string {
		switch command["do"] {
		case "register":
			return `"result": {"user_id": "@a:b", "device_id": "D"}`
		case "model":
			return fmt.Sprintf(`"result": {"version": %v}`, command["after"].(float64)+1)
		case "create":
			return `"error": "M_FORBIDDEN no"`
		}
		return `"result": null`
	})
	require.NoError(t, err)
	assert.Equal(t, "a client 1.0", program.Software)
	nio, err := RegisterNio(t.Context(), program, "a", "hidden")
	require.NoError(t, err)
	assert.Equal(t, "@a:b", nio.UserID)
	seen := 0
	require.NoError(t, nio.Await(t.Context(), func(model Model) error {
		assert.Equal(t, seen, model.Version, "each version is looked at once")
		if seen++; seen < 3 {
			return errors.New("not yet")
		}
		return nil
	}))
	_, err = nio.Create(t.Context(), "10", false)
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	assert.EqualError(t, err, "create: the client says: M_FORBIDDEN no")
	assert.NotContains(t, string(program.Record()), "hidden")
	assert.Contains(t, string(program.Record()), "the end of its log")
}

func TestAModelThatIsNotReachedSaysWhatItLacks(t *testing.T) {
	program, err := start(t, greeting, func(command map[string]any) string {
		if command["after"].(float64) < 0 {
			return `"result": {"version": 0, "sync_error": "502"}`
		}
		return ""
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = (&Nio{Program: program}).Await(ctx, func(Model) error { return errors.New("no room") })
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "no room; its last /sync failed: 502")
}

func TestAProgramThatEnds(t *testing.T) {
	program, err := start(t, greeting, func(map[string]any) string { return "end" })
	require.NoError(t, err)
	err = program.Do(t.Context(), "anything", nil, nil)
	assert.ErrorIs(t, err, ErrEnded)
	assert.ErrorContains(t, err, "the end of its log")

	_, err = start(t, "Traceback", nil)
	assert.ErrorIs(t, err, ErrEnded)
	assert.ErrorContains(t, err, "it wrote something else than an answer")
}

func TestALineIsBounded(t *testing.T) {
	_, err := start(t, strings.Repeat("x", longestLine+1<<20), nil)
	assert.ErrorContains(t, err, "it wrote a line of more than")
}
