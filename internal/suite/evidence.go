package suite

// Files in the results folder besides the verdicts: logs and transcripts of checks, and the candidate's configuration.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// configurationFolder is the folder for candidates' configuration, in the results folder.
const configurationFolder = "configuration"

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
	return func(result verdict.CheckResult, first bool, evidence check.Evidence) (string, string, error) {
		folder := filepath.Join(wanted.Results, "checks")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return "", "", err
		}
		base := filepath.Join("checks", fileName(result.Name))
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
		return log, har, errors.Join(append(problems,
			writeFile(filepath.Join(wanted.Results, log), func(file *os.File) error { return writeLog(file, result, evidence) }),
			writeFile(filepath.Join(wanted.Results, har), func(file *os.File) error {
				return transcript.WriteHAR(file, transcript.Creator{Name: "msc4014", Version: plan.SuiteVersion}, evidence.Exchanges, evidence.Dropped)
			}))...,
		)
	}
}

func writeLog(file *os.File, result verdict.CheckResult, evidence check.Evidence) error {
	if _, err := fmt.Fprintf(file, "check: %s\nverdict: %s\nreason: %s\n", result.Name, result.Verdict, result.Reason); err != nil {
		return err
	}
	for _, each := range evidence.Logs {
		if _, err := fmt.Fprintf(file, "\n==== the end of the log of deployment %s\n%s", each.Deployment, each.Text); err != nil {
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
