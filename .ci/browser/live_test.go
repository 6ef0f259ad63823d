package browser

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// started starts run.sh and returns the line that begins with words; it is interrupted when the test ends.
func started(t *testing.T, words string, arguments ...string) (line string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "../../run.sh", arguments...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = time.Minute
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(output)
		for scanner.Scan() {
			if strings.HasPrefix(scanner.Text(), words) {
				lines <- scanner.Text()
			}
		}
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		for range lines {
		}
	})
	select {
	case line, open := <-lines:
		if open {
			return line
		}
	case <-time.After(5 * time.Minute):
	}
	t.Fatalf("run.sh %v does not say %q", arguments, words)
	return ""
}

// TestLive follows a run of the reference from its first check to its report. LIVE_RUN=1 allows that.
func TestLive(t *testing.T) {
	if os.Getenv("LIVE_RUN") == "" {
		t.Skip("LIVE_RUN is not set: this starts a run of the suite")
	}
	for _, width := range []int{1280, 390} {
		t.Run(fmt.Sprintf("%d pixels", width), func(t *testing.T) {
			results := filepath.Join(t.TempDir(), "results")
			started(t, "preparing ", "reference", "--runtime", "process", "--run", "^mapping/", "--results", results)
			address := strings.Fields(started(t, "live page: ", "report", "--serve", results))[2]
			v := look(t, width, "light")
			v.do(chromedp.Navigate(address), chromedp.WaitVisible(".results li", chromedp.ByQuery))
			v.picture("live")
			v.fits()
			v.names("progressbar", "heading", "list")
			v.do(chromedp.ActionFunc(func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				return chromedp.WaitVisible("tr.requirement", chromedp.ByQuery).Do(ctx)
			}))
			if v.number(shown) == 0 {
				t.Error("the page does not lead to the report")
			}
			v.problemsOnly(address)
		})
	}
}
