// Package realclient drives real client software: programs of the image of real clients (dockerfiles/clients), which read commands
// and write what the client then shows. It judges nothing.
package realclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"msc4014/runtime"
)

// Bounds of what a program writes, in bytes: what it shows comes from a server under test.
const (
	longestLine = 8 << 20
	keptRecord  = 4 << 20
)

// Program is a running program. Its methods are safe for concurrent use.
type Program struct {
	// Software is the name and version of the client, as it tells itself.
	Software string

	process runtime.Client
	ended   chan struct{} // closed when its output has ended
	ending  error

	mu      sync.Mutex
	count   int
	waiting map[int]chan answer
	record  bytes.Buffer // commands and answers
}

// answer is a line of the program's output.
type answer struct {
	ID       int             `json:"id"`
	Result   json.RawMessage `json:"result"`
	Error    string          `json:"error"`
	Software string          `json:"software"` // only in the first line
}

// Refusal is what the client software says if it does not do what it was told, because the server refused or because of the
// server's answer.
type Refusal struct{ Command, Message string }

// Error gives the command and the client's words.
func (r *Refusal) Error() string { return fmt.Sprintf("%s: the client says: %s", r.Command, r.Message) }

// ErrEnded is returned (wrapped) if the program has ended.
var ErrEnded = errors.New("the client's program ended")

// Start waits until a program that was just started is ready.
func Start(ctx context.Context, process runtime.Client) (*Program, error) {
	p := &Program{process: process, ended: make(chan struct{}), waiting: map[int]chan answer{}}
	ready := p.await(0)
	go p.read()
	first, err := p.receive(ctx, ready)
	if err != nil {
		return nil, err
	}
	p.Software = first.Software
	return p, nil
}

// read passes the program's answers on, until its output ends.
func (p *Program) read() {
	defer close(p.ended)
	lines := bufio.NewReader(&bounded{from: p.process})
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			p.ending = err
			return
		}
		var got answer
		if err := json.Unmarshal(line, &got); err != nil {
			p.ending = fmt.Errorf("it wrote something else than an answer: %w", err)
			return
		}
		p.note("< ", line)
		p.mu.Lock()
		if waiting := p.waiting[got.ID]; waiting != nil {
			waiting <- got
			delete(p.waiting, got.ID)
		}
		p.mu.Unlock()
	}
}

// bounded reads lines of at most longestLine bytes.
type bounded struct {
	from io.Reader
	line int
}

func (b *bounded) Read(data []byte) (int, error) {
	n, err := b.from.Read(data)
	if end := bytes.LastIndexByte(data[:n], '\n'); end >= 0 {
		b.line = n - end - 1
	} else if b.line += n; b.line > longestLine {
		return 0, fmt.Errorf("it wrote a line of more than %d bytes", longestLine)
	}
	return n, err
}

// await returns the channel of the answer with that number.
func (p *Program) await(number int) chan answer {
	waiting := make(chan answer, 1)
	p.mu.Lock()
	p.waiting[number] = waiting
	p.mu.Unlock()
	return waiting
}

func (p *Program) receive(ctx context.Context, from <-chan answer) (answer, error) {
	select {
	case got := <-from:
		return got, nil
	case <-p.ended:
		return answer{}, fmt.Errorf("%w (%w); the end of its log:\n%s", ErrEnded, p.ending, p.process.Log())
	case <-ctx.Done():
		return answer{}, fmt.Errorf("the client did not answer: %w", context.Cause(ctx))
	}
}

// Do gives the program a command, and stores the result in result, unless that is nil. The error wraps a *Refusal or ErrEnded, or
// the cause why ctx ended.
func (p *Program) Do(ctx context.Context, command string, arguments map[string]any, result any) error {
	p.mu.Lock()
	p.count++
	number := p.count
	p.mu.Unlock()
	from := p.await(number)
	sent := map[string]any{"id": number, "do": command}
	maps.Copy(sent, arguments)
	line, err := json.Marshal(sent)
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	if _, secret := sent["password"]; secret {
		p.note("> ", fmt.Appendf(nil, "%s, with a password\n", command))
	} else {
		p.note("> ", append(line, '\n'))
	}
	if _, err := p.process.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%s: %w: %w", command, ErrEnded, err)
	}
	got, err := p.receive(ctx, from)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", command, err)
	case got.Error != "":
		return &Refusal{Command: command, Message: got.Error}
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(got.Result, result); err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

// beside returns the error why waiting ended, with what was lacking until then, if that is not nil.
func beside(lacks, err error) error {
	if lacks == nil {
		return err
	}
	return fmt.Errorf("%w (%w)", lacks, err)
}

func (p *Program) note(mark string, line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.record.Len()+len(line) < keptRecord {
		p.record.WriteString(mark)
		p.record.Write(line)
	}
}

// Record returns the commands and answers so far, and the end of what the client wrote to its standard error.
func (p *Program) Record() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(bytes.Clone(p.record.Bytes()), "\n"+p.process.Log()...)
}
