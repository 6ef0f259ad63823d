package suite

// Files in the results folder besides the verdicts: logs and transcripts of checks, and the candidate's configuration.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"msc4014/helpers/check"
	"msc4014/helpers/packed"
	"msc4014/helpers/plan"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// configurationFolder is the folder for candidates' configuration, in the results folder.
const configurationFolder = "configuration"

// checksFolder is the folder for logs and transcripts, in the results folder.
const checksFolder = "checks"

// keepConfiguration writes a server's configuration into the results folder, under its name after prefix, and returns
// its path there, or "" if the server has none.
func keepConfiguration(ctx context.Context, server runtime.Server, results, prefix string) (string, error) {
	configured, can := server.(runtime.Configured)
	if !can || results == "" {
		return "", nil
	}
	name, text, err := configured.Configuration(ctx)
	if err != nil || name == "" {
		return "", err
	}
	path := filepath.Join(configurationFolder, fileName(prefix+name))
	if err := os.MkdirAll(filepath.Join(results, configurationFolder), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(filepath.Join(results, path), text, 0o644)
}

// keeper writes the evidence of checks into the results folder.
func keeper(wanted plan.Plan) check.Keeper {
	if wanted.Results == "" {
		return nil
	}
	shared := &sharedFiles{folder: wanted.Results, written: map[*packed.Value[[]transcript.Exchange]]string{}}
	return func(result verdict.CheckResult, first bool, evidence check.Evidence) (string, string, error) {
		folder := filepath.Join(wanted.Results, checksFolder)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return "", "", err
		}
		base := filepath.Join(checksFolder, fileName(result.Name))
		if first {
			base += ".first"
		}
		log, har := base+".log", base+".har"
		problems := []error{}
		for end, content := range evidence.Attached {
			problems = append(problems, writeFile(filepath.Join(wanted.Results, base+"."+fileName(end)), func(file *os.File) error {
				_, err := file.Write(content)
				return err
			}))
		}
		problems = append(problems, writeFile(filepath.Join(wanted.Results, log), func(file *os.File) error { return writeLog(file, result, evidence) }))
		about := about(result)
		exchanges, err := evidence.Exchanges.Get()
		problems = append(problems, err)
		for _, each := range evidence.Shared {
			file, err := shared.write(each)
			problems = append(problems, err)
			if file != "" && len(exchanges) == 0 {
				return log, file, errors.Join(problems...)
			}
			if file != "" {
				about.Result += "; it rests on " + filepath.ToSlash(file)
			}
		}
		return log, har, errors.Join(append(problems, writeFile(filepath.Join(wanted.Results, har), func(file *os.File) error {
			return transcript.WriteHAR(file, creator, about, exchanges, evidence.Dropped)
		}))...)
	}
}

// creator is named in transcripts.
var creator = transcript.Creator{Name: "msc4014", Version: plan.SuiteVersion}

// sharedFiles writes what several checks rest on once.
type sharedFiles struct {
	folder  string
	mu      sync.Mutex
	written map[*packed.Value[[]transcript.Exchange]]string
}

// write writes the exchanges, if no other check has, and returns their file; "" if there are none. Its name has a digest: the shards of a
// run, whose files are merged, prepare the same each for itself.
func (s *sharedFiles) write(shared check.Shared) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if file, done := s.written[shared.Exchanges]; done {
		return file, nil
	}
	exchanges, err := shared.Exchanges.Get()
	if err != nil || len(exchanges) == 0 {
		return "", err
	}
	var har bytes.Buffer
	if err := transcript.WriteHAR(&har, creator, transcript.About{Check: "shared by several checks: " + shared.Name}, exchanges, 0); err != nil {
		return "", err
	}
	file := filepath.Join(checksFolder, fmt.Sprintf("shared-%s-%.4x.har", fileName(shared.Name), sha256.Sum256(har.Bytes())))
	s.written[shared.Exchanges] = file
	return file, os.WriteFile(filepath.Join(s.folder, file), har.Bytes(), 0o644)
}

// about says what the transcript of a result is of.
func about(result verdict.CheckResult) transcript.About {
	text := string(result.Verdict)
	if result.Reason != "" {
		text += ": " + result.Reason
	}
	return transcript.About{Check: result.Name, Result: text}
}

func writeLog(file *os.File, result verdict.CheckResult, evidence check.Evidence) error {
	if _, err := fmt.Fprintf(file, "check: %s\nverdict: %s\nreason: %s\n", result.Name, result.Verdict, result.Reason); err != nil {
		return err
	}
	for _, each := range evidence.Logs {
		text, err := each.Text.Get()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(file, "\n==== the end of the log of deployment %s\n%s", each.Deployment, text); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, write func(*os.File) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// fileName turns a check's name into a safe file name.
func fileName(name string) string {
	safe := make([]rune, 0, len(name))
	for _, letter := range name {
		switch {
		case letter >= 'a' && letter <= 'z', letter >= 'A' && letter <= 'Z', letter >= '0' && letter <= '9', letter == '.', letter == '-', letter == '_':
			safe = append(safe, letter)
		default:
			safe = append(safe, '-')
		}
	}
	return string(safe)
}
