package main

// report --serve: a live page of runs.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"msc4014/report"
	"msc4014/report/live"
)

// serve serves the live page of the results folders that arguments name, or of those that runs are using, until ctx is done.
func serve(ctx context.Context, port uint16, show bool, arguments []string) error {
	folders, err := servedFolders(arguments)
	if err != nil {
		return err
	}
	server, err := live.New(ctx, int(port), folders)
	if err != nil {
		return err
	}
	fmt.Println("live page:", server.URL(), "(Ctrl-C ends it)")
	if show {
		if err := openInBrowser(server.URL()); err != nil {
			return err
		}
	}
	return server.Serve(ctx)
}

// servedFolders returns the results folders to serve. Each has results, or a run that is using it.
func servedFolders(arguments []string) ([]string, error) {
	if len(arguments) == 0 {
		root, err := projectRoot()
		if err != nil {
			return nil, err
		}
		folders, err := report.RunningBelow(filepath.Join(root, "results"))
		if err == nil && len(folders) == 0 {
			err = errors.New("no run goes in results/; start one first, or name the results folder")
		}
		return folders, err
	}
	folders, err := resultsFolders(arguments)
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		_, running, err := report.Running(folder)
		if err != nil {
			return nil, fmt.Errorf("cannot read results: %w", err)
		}
		if running {
			continue
		}
		results, err := report.Read(folder)
		if err != nil {
			return nil, fmt.Errorf("no run goes in %s: %w", folder, err)
		}
		if report.Unended(results) {
			return nil, fmt.Errorf("no run goes in %s: the last one was killed before it had results; run the candidate again", folder)
		}
	}
	return folders, nil
}
