package suite

// COMPLEMENT_DEBUG: prints every request of a check with its answer.

import (
	"fmt"
	"strings"
	"time"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// longestPrinted is how many bytes of a body are printed at most; the transcript has more.
const longestPrinted = 4 << 10

// printed formats an exchange in a few lines, without secrets.
func printed(check string, exchange transcript.Exchange) string {
	exchange = transcript.WithoutSecrets(exchange)
	var text strings.Builder
	fmt.Fprintf(&text, "[%s] %s %s: %s %s -> ", check, exchange.Direction, exchange.Actor, exchange.Method, exchange.URL)
	if exchange.Status == 0 {
		fmt.Fprintf(&text, "no answer (%s)", exchange.Error)
	} else {
		fmt.Fprintf(&text, "%d", exchange.Status)
	}
	fmt.Fprintf(&text, " in %s", exchange.Duration.Round(time.Millisecond))
	for _, body := range []struct {
		name string
		text []byte
	}{{"request", exchange.RequestBody}, {"answer", exchange.ResponseBody}} {
		if len(body.text) > 0 {
			fmt.Fprintf(&text, "\n  %s: %s", body.name, shortBody(body.text))
		}
	}
	return text.String()
}

func shortBody(body []byte) string {
	text := strings.TrimSpace(strings.ToValidUTF8(string(body), "\uFFFD"))
	if len(text) <= longestPrinted {
		return text
	}
	return strings.ToValidUTF8(text[:longestPrinted], "") + fmt.Sprintf("... (%d bytes)", len(body))
}

// printer prints exchanges as events.
func printer(emit func(verdict.Event)) func(check string, exchange transcript.Exchange) {
	return func(check string, exchange transcript.Exchange) {
		emit(verdict.Event{Kind: verdict.KindPrint, Time: time.Now(), Message: printed(check, exchange)})
	}
}
