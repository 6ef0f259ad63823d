// Package browser opens the report in Chromium. It is a module of its own, so that the suite neither needs a browser nor its driver.
// REPORT_FILE names the report to open; REPORT_SCREENSHOTS, if set, a folder for pictures of it, and REPORT_PICTURE a file for that of the README.
package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// opensWithin is what a report of four candidates may take to open.
const opensWithin = 2 * time.Second

// visitor is a page and what went wrong in it.
type visitor struct {
	t        *testing.T
	ctx      context.Context
	mu       sync.Mutex
	problems []string
	requests []string
	width    int
}

// visit opens a report at a width in pixels.
func visit(t *testing.T, file string, width int, scheme string) *visitor {
	t.Helper()
	v := look(t, width, scheme)
	address := (&url.URL{Scheme: "file", Path: file}).String()
	// The processor's time, since the machine may be busy.
	v.do(performance.Enable().WithTimeDomain(performance.EnableTimeDomainThreadTicks), chromedp.Navigate(address), chromedp.WaitVisible("#search", chromedp.ByQuery))
	took := v.busy()
	t.Logf("opened in %s of the processor's time", took)
	if took > opensWithin {
		t.Errorf("it opens in %s, more than %s", took, opensWithin)
	}
	return v
}

// look opens an empty page of a width in pixels.
func look(t *testing.T, width int, scheme string) *visitor {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(width, 900))
	options = append(options, chromedp.WSURLReadTimeout(time.Minute))
	allocated, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	v := &visitor{t: t, ctx: ctx, width: width}
	chromedp.ListenTarget(ctx, func(event any) {
		v.mu.Lock()
		defer v.mu.Unlock()
		switch event := event.(type) {
		case *runtime.EventConsoleAPICalled:
			v.problems = append(v.problems, fmt.Sprintf("console: %s", event.Type))
		case *runtime.EventExceptionThrown:
			v.problems = append(v.problems, event.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			v.problems = append(v.problems, event.Entry.Text)
		case *network.EventRequestWillBeSent:
			v.requests = append(v.requests, event.Request.URL)
		}
	})
	v.do(network.Enable(), log.Enable(), runtime.Enable(),
		emulation.SetDeviceMetricsOverride(int64(width), 900, 1, width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
	return v
}

func (v *visitor) do(actions ...chromedp.Action) {
	v.t.Helper()
	if err := chromedp.Run(v.ctx, actions...); err != nil {
		v.t.Fatal(err)
	}
}

// busy returns how long the page has worked.
func (v *visitor) busy() time.Duration {
	v.t.Helper()
	var took time.Duration
	v.do(chromedp.ActionFunc(func(ctx context.Context) error {
		metrics, err := performance.GetMetrics().Do(ctx)
		for _, metric := range metrics {
			if metric.Name == "TaskDuration" {
				took = time.Duration(metric.Value * float64(time.Second)).Round(time.Millisecond)
			}
		}
		return err
	}))
	return took
}

// number evaluates an expression to a number.
func (v *visitor) number(expression string) int {
	v.t.Helper()
	var result int
	v.do(chromedp.Evaluate(expression, &result))
	return result
}

// picture takes a screenshot if they are wanted.
func (v *visitor) picture(name string) {
	folder := os.Getenv("REPORT_SCREENSHOTS")
	if folder == "" {
		return
	}
	var picture []byte
	v.do(chromedp.CaptureScreenshot(&picture))
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d.png", name, v.width)), picture, 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// problemsOnly reports errors, and requests to others than the server at address.
func (v *visitor) problemsOnly(address string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, problem := range v.problems {
		v.t.Errorf("the page reports: %s", problem)
	}
	for _, request := range v.requests {
		if !strings.HasPrefix(request, address) {
			v.t.Errorf("the page requests %s", request)
		}
	}
}

// finish reports errors and requests.
func (v *visitor) finish() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, problem := range v.problems {
		v.t.Errorf("the page reports: %s", problem)
	}
	for _, request := range v.requests {
		if !strings.HasPrefix(request, "file://") || !strings.HasSuffix(request, ".html") {
			v.t.Errorf("the page requests %s", request)
		}
	}
}

const shown = `document.querySelectorAll("tr.requirement:not([hidden])").length`

func reportFile(t *testing.T) string {
	t.Helper()
	file := os.Getenv("REPORT_FILE")
	if file == "" {
		t.Skip("REPORT_FILE names no report")
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	return absolute
}

func TestReport(t *testing.T) {
	file := reportFile(t)
	for _, width := range []int{1280, 390} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%d pixels, %s", width, scheme), func(t *testing.T) {
				v := visit(t, file, width, scheme)
				defer v.finish()
				v.picture(scheme)
				v.fits()
				all := v.number(shown)
				if all == 0 {
					t.Fatal("it shows no requirement")
				}
				v.filters(all)
				v.expands()
				v.picture(scheme + "-open")
				v.fits()
				for _, part := range []string{"timeline", "open"} {
					v.section(part, scheme+"-"+part)
				}
				v.follows()
				v.names("button", "link", "searchbox", "combobox", "table", "search")
			})
		}
	}
}

// TestPrint prints the report on A4 with a verdict opened.
func TestPrint(t *testing.T) {
	file := reportFile(t)
	v := visit(t, file, 1280, "dark")
	defer v.finish()
	v.expands()
	// A4 without margins of one centimetre, at 96 pixels an inch.
	v.width = 718
	v.do(emulation.SetDeviceMetricsOverride(int64(v.width), 1046, 1, false),
		emulation.SetEmulatedMedia().WithMedia("print").WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	v.fits()
	for expression, problem := range map[string]string{
		`getComputedStyle(document.querySelector(".tools")).display === "none"`:                                                "controls are printed",
		`getComputedStyle(document.querySelector(".matrix thead")).display === "table-header-group"`:                           "the names of the candidates are not repeated on each page",
		`getComputedStyle(document.querySelector("button.v")).display !== "none"`:                                              "verdicts are not printed",
		`[...document.querySelectorAll(".steps pre")].every((pre) => pre.scrollHeight <= pre.clientHeight + 1)`:                "evidence is cut off",
		`((c) => c[0] + c[1] + c[2] < 200)(getComputedStyle(document.body).color.match(/\d+/g).map(Number))`:                   "text is not dark",
		`((c) => c[0] + c[1] + c[2] > 700)(getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number))`:         "paper is not white",
		`[...document.querySelectorAll("tr.requirement td")].every((cell) => getComputedStyle(cell).display === "table-cell")`: "the table is not one",
		`!document.querySelector(".questions") || document.querySelector(".questions td").clientWidth > 150`:                   "the readings of open questions have no room",
	} {
		if v.number("("+expression+") ? 1 : 0") != 1 {
			t.Error(problem)
		}
	}
	for _, part := range []string{"requirements", "open", "timeline", "environment"} {
		v.section(part, "print-"+part)
	}
	v.do(chromedp.Evaluate("scrollTo(0, 0)", nil))
	v.picture("print")
	folder := os.Getenv("REPORT_SCREENSHOTS")
	if folder == "" {
		return
	}
	v.do(chromedp.ActionFunc(func(ctx context.Context) error {
		paper, _, err := page.PrintToPDF().WithPaperWidth(8.27).WithPaperHeight(11.69).Do(ctx)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, "report.pdf"), paper, 0o644)
	}))
}

// TestPicture takes the picture of the report that REPORT_PICTURE names.
func TestPicture(t *testing.T) {
	file, picture := reportFile(t), os.Getenv("REPORT_PICTURE")
	if picture == "" {
		t.Skip("REPORT_PICTURE names no file")
	}
	v := visit(t, file, 1280, "light")
	defer v.finish()
	var taken []byte
	v.do(chromedp.CaptureScreenshot(&taken))
	if err := os.WriteFile(picture, taken, 0o644); err != nil {
		t.Fatal(err)
	}
}

// fits: nothing is wider than the window.
func (v *visitor) fits() {
	v.t.Helper()
	if wide := v.number("document.documentElement.scrollWidth"); wide > v.width {
		v.t.Errorf("the page is %d pixels wide in a window of %d", wide, v.width)
	}
}

// filters: search and selection leave a part of the requirements, and the button shows all again.
func (v *visitor) filters(all int) {
	v.t.Helper()
	v.do(chromedp.KeyEvent("/"))
	if v.number(`document.activeElement.id === "search" ? 1 : 0`) != 1 {
		v.t.Error("the key / does not lead to the search")
	}
	v.do(chromedp.Evaluate(`document.querySelector("#search").value = ""`, nil), chromedp.SendKeys("#search", "mapping/no-hijack", chromedp.ByQuery))
	if left := v.number(shown); left == 0 || left >= all {
		v.t.Errorf("the search leaves %d of %d requirements", left, all)
	}
	v.do(chromedp.SendKeys("#search", " nothing has this text", chromedp.ByQuery))
	if left := v.number(shown); left != 0 {
		v.t.Errorf("a search for what is nowhere leaves %d requirements", left)
	}
	v.do(chromedp.Click("#reset", chromedp.ByQuery))
	if left := v.number(shown); left != all {
		v.t.Errorf("after the reset %d of %d requirements are shown", left, all)
	}
	v.do(chromedp.Evaluate(`document.querySelector("#kind").value = "open"; document.querySelector("#kind").dispatchEvent(new Event("input"))`, nil))
	if left := v.number(shown); left == 0 || left >= all {
		v.t.Errorf("the kind leaves %d of %d requirements", left, all)
	}
	v.do(chromedp.Click("#reset", chromedp.ByQuery))
}

// expands: by keyboard a cell opens, shows the evidence of its first check, and closes.
func (v *visitor) expands() {
	v.t.Helper()
	const worst = `[...document.querySelectorAll("button[aria-expanded]")].find((b) => document.getElementById(b.getAttribute("aria-controls")).querySelector("[data-evidence]") && b.dataset.verdict !== "pass") ?? document.querySelector("button[aria-expanded]")`
	v.do(chromedp.Evaluate(`{ const b = `+worst+`; b.id = "chosen"; b.focus(); b.scrollIntoView({block: "start"}); scrollBy(0, -150); }`, nil), chromedp.KeyEvent(kb.Enter))
	if open := v.number(`document.querySelectorAll("tr.detail:not([hidden])").length`); open != 1 {
		v.t.Fatalf("after Enter on a cell %d details are open", open)
	}
	const places = `document.querySelectorAll("tr.detail:not([hidden]) [data-evidence]").length`
	if v.number(places) == 0 {
		return
	}
	v.do(chromedp.Evaluate(`document.querySelector("tr.detail:not([hidden]) details:has([data-evidence])").open = true`, nil))
	v.await(`document.querySelector("tr.detail:not([hidden]) .steps pre") !== null`, "the evidence of a check is not shown")
}

// await waits until an expression is true.
func (v *visitor) await(expression, otherwise string) {
	v.t.Helper()
	var is bool
	if err := chromedp.Run(v.ctx, chromedp.Poll(expression, &is, chromedp.WithPollingTimeout(20*time.Second))); err != nil {
		v.t.Errorf("%s: %v", otherwise, err)
	}
}

// follows: the link of a requirement leads to it, opened.
func (v *visitor) follows() {
	v.t.Helper()
	v.do(chromedp.Evaluate(`location.hash = "#" + document.querySelectorAll("tr.requirement")[20].id`, nil), chromedp.Sleep(200*time.Millisecond))
	if v.number(`document.querySelectorAll("tr.requirement")[20].querySelectorAll("[aria-expanded=true]").length`) != 1 {
		v.t.Error("the link of a requirement does not open it")
	}
	v.do(chromedp.KeyEvent(kb.Escape))
}

// names: every control has a role and a name in the accessibility tree, which has the roles that are wanted.
func (v *visitor) names(wanted ...string) {
	v.t.Helper()
	// The driver's own types do not know the values of newer browsers.
	type value struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored bool  `json:"ignored"`
			Role    value `json:"role"`
			Name    value `json:"name"`
		} `json:"nodes"`
	}
	v.do(chromedp.ActionFunc(func(ctx context.Context) error { return cdp.Execute(ctx, "Accessibility.getFullAXTree", nil, &tree) }))
	controls := map[string]int{}
	for _, node := range tree.Nodes {
		if node.Ignored {
			continue
		}
		switch role := fmt.Sprint(node.Role.Value); role {
		case "heading", "list": // of which a list needs no name
			controls[role]++
		case "progressbar", "button", "link", "searchbox", "combobox", "textbox", "DisclosureTriangle", "table", "search", "image", "region":
			controls[role]++
			if name, _ := node.Name.Value.(string); name == "" {
				v.t.Errorf("a %s has no name in the accessibility tree", role)
			}
		}
	}
	for _, role := range wanted {
		if controls[role] == 0 {
			v.t.Errorf("the accessibility tree has no %s", role)
		}
	}
}

// section takes a picture of a part of the report.
func (v *visitor) section(id, name string) {
	v.t.Helper()
	v.do(chromedp.Evaluate(fmt.Sprintf(`document.getElementById(%q)?.scrollIntoView()`, id), nil))
	v.picture(name)
}
