package main

// COMPLEMENT_DEBUG: every request of a check and its answer, printed as it ends.

import (
	"fmt"
	"strings"
	"time"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// longestPrinted bounds how much of a body is printed, in bytes; the transcript has more of it.
const longestPrinted = 4 << 10

// printed is an exchange as a few lines, without secrets.
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

// printer prints exchanges through the stream of events.
func printer(emit func(verdict.Event)) func(check string, exchange transcript.Exchange) {
	return func(check string, exchange transcript.Exchange) {
		emit(verdict.Event{Kind: verdict.KindPrint, Time: time.Now(), Message: printed(check, exchange)})
	}
}
