package main

// verify: recorded evidence, judged again.

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/run"
	"msc4014/report"
	"msc4014/report/verify"
)

// newVerifyCommand returns the command that verifies a results folder.
func newVerifyCommand(status *int) *cobra.Command {
	var signKey, required string
	command := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check the digests of recorded evidence, and judge it again",
		Long: `Recomputes the digests of all evidence in a results folder, checks the signature of results.json if there is one, and judges by the
transcripts again, without the code that judged first: content hashes and signatures of the candidate's own events, that no sender key is in
two rooms, which member events carry a mapping and what it says, what clients were shown, and the recorded failures of signatures. It also
compares what results.json, logs and transcripts say of each other. The exit status is 1, with the check, if the evidence was changed or contradicts a
result, and 2 if the folder cannot be read or has no transcript, as that of a run that was not made: then nothing is verified or signed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			if command.Flags().Changed("sign-key") && signKey == "" {
				return errors.New("--sign-key needs a value")
			}
			results, folder, err := readResults(arguments[0])
			if err != nil {
				return err
			}
			var signer ed25519.PublicKey
			if command.Flags().Changed("require-signature") {
				if signer, err = verify.ParseKey(required); err != nil {
					return err
				}
			}
			problems, transcripts, err := verified(folder, results, signer)
			if err != nil {
				return err
			}
			for _, problem := range problems {
				_, _ = fmt.Fprintln(os.Stderr, report.ForConsole(problem))
			}
			if problems != nil {
				*status = run.StatusWorse
				return nil
			}
			if transcripts == 0 {
				why := "no transcript was kept; make the run with --evidence all"
				if results.Incomplete != "" {
					why = "the run is incomplete: " + results.Incomplete + "; verify one that judged something"
				}
				return fmt.Errorf("nothing was verified in %s: %s", filepath.Join(folder, report.ResultsFile), why)
			}
			if signKey != "" {
				if err := verify.Sign(folder, signKey); err != nil {
					return err
				}
				fmt.Println("signed:", report.SignatureFile)
			}
			return nil
		},
	}
	command.Flags().StringVar(&signKey, "sign-key", "", "if nothing is wrong, sign results.json, and so the digests in it, with the private Ed25519\nkey in `FILE` (PEM)")
	command.Flags().StringVar(&required, "require-signature", "", "results.json must be signed by the key whose public part, in base64, is `KEY`: finds\nresults whose digests were made anew")
	return command
}

// verified checks a results folder, says what is right, and returns what is wrong, and how many transcripts were judged again. If required
// is not nil, that key must have signed the results.
func verified(folder string, results report.Results, required ed25519.PublicKey) (problems []string, transcripts int, err error) {
	switch err := report.CheckEvidence(folder, results); {
	case errors.Is(err, report.ErrEvidence):
		return []string{err.Error()}, 0, nil
	case err != nil:
		return nil, 0, err
	}
	if results.Schema < 2 {
		fmt.Println("evidence: results of schema 1 have no digests")
	} else {
		fmt.Printf("evidence: %d files have the digests in %s\n", len(results.Evidence), report.ResultsFile)
	}
	switch key, err := verify.CheckSignature(folder); {
	case errors.Is(err, verify.ErrSignature):
		problems = append(problems, err.Error())
	case err != nil:
		return nil, 0, err
	case key == nil && required != nil:
		problems = append(problems, report.ResultsFile+" is not signed, and must be: its digests may have been made anew")
	case required != nil && !key.Equal(required):
		problems = append(problems, fmt.Sprintf("%s is signed by another key than the required one: %s", report.ResultsFile, encoded(key)))
	case key == nil:
		fmt.Println("signature: none")
	default:
		fmt.Println("signature: by the key", encoded(key))
	}
	outcome, err := verify.Evidence(folder, results)
	if err != nil {
		return nil, 0, err
	}
	fmt.Printf("judged again: of %d transcripts, %d events of the candidate (event-format), %d signatures (signing), %d keys (sender-key), "+
		"%d mappings (mapping), %d answers to clients (client-view)\n",
		outcome.Transcripts, outcome.Events, outcome.Signatures, outcome.Keys, outcome.Mappings, outcome.Views)
	if len(outcome.Shown) > 0 {
		fmt.Println(report.ForConsole("recorded failures that a transcript shows again: " + strings.Join(outcome.Shown, ", ")))
	}
	fmt.Printf("recorded failures of signatures: %d shown again, %d of which the transcript does not have the event\n", outcome.Confirmed, outcome.NotKept)
	return append(problems, outcome.Contradictions...), outcome.Transcripts, nil
}

// encoded returns a key as --require-signature takes it.
func encoded(key ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(key) }
