package page

// Writing the report into folders.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"msc4014/report"
)

// write writes all forms of a report into a folder.
func (r *Report) write(folder string) error {
	for _, form := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{report.HTMLFile, r.WriteHTML}, {report.MarkdownFile, r.WriteMarkdown}, {report.EARLFile, r.WriteEARL},
	} {
		var text bytes.Buffer
		if err := form.write(&text); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, form.name), text.Bytes(), 0o644); err != nil {
			return fmt.Errorf("cannot write the report: %w", err)
		}
	}
	return nil
}

// WriteOwn writes the report of one run into the folder of its files.
func WriteOwn(folder string, results report.Results) error {
	return New([]Source{{Results: results, Folder: folder}}).write(folder)
}

// Write writes one report over results folders into a folder. It refuses to overwrite files that no report is. If alone, the report has no
// links to files of the results folders.
func Write(into string, folders []string, alone bool) error {
	var sources []Source
	for _, folder := range folders {
		results, err := report.Read(folder)
		if err != nil {
			return err
		}
		sources = append(sources, Source{Results: results, Folder: folder, Alone: alone})
	}
	return WriteSources(into, sources)
}

// WriteSources is Write for results that have been read.
func WriteSources(into string, sources []Source) error {
	for i := range sources {
		link, err := relativeURL(into, sources[i].Folder)
		if err != nil {
			return err
		}
		sources[i].Link = link
	}
	if err := refuseForeign(into); err != nil {
		return err
	}
	return New(sources).write(into)
}

// relativeURL returns the URL of a folder as seen from a file in another, with a slash at its end.
func relativeURL(from, to string) (string, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	if to, err = filepath.Abs(to); err != nil {
		return "", err
	}
	relative, err := filepath.Rel(from, to)
	if err != nil {
		return "", fmt.Errorf("cannot link from %s to %s: %w", from, to, err)
	}
	if relative == "." {
		return "", nil
	}
	return escapedPath(filepath.ToSlash(relative)) + "/", nil
}

// Remove removes the report in a folder, if all files there that are called like one are this suite's. That of a run belongs to its results,
// and stays.
func Remove(folder string) error {
	if _, err := os.Lstat(filepath.Join(folder, report.ResultsFile)); err == nil || refuseForeign(folder) != nil {
		return nil
	}
	for _, name := range report.FormFiles {
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("cannot remove an earlier run's report: %w", err)
		}
	}
	return nil
}

// refuseForeign returns an error if folder has a file with the name of a report that is none.
func refuseForeign(folder string) error {
	for _, name := range report.FormFiles {
		file := filepath.Join(folder, name)
		opened, err := os.Open(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot write the report: %w", err)
		}
		head, err := io.ReadAll(io.LimitReader(opened, 2<<10))
		_ = opened.Close()
		if err != nil || !bytes.Contains(head, []byte(Generator)) {
			return fmt.Errorf("%s is not a report of this suite, and would be overwritten; name another folder with --to", file)
		}
	}
	return nil
}
