package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rt/parley/internal/server"
)

// enveloped is what a user's connections get of data.
func enveloped(data, user string) string {
	return `{"message":` + data + `,"from":null,"to_user":` + user + `}`
}

// TestSendCarriesDataAsItCame takes data for what it is: bytes of JSON.
func TestSendCarriesDataAsItCame(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	bob, all := s.dial("/ws/bob/"), s.dial("/ws/")
	for _, data := range []string{
		`"<b>&</b>"`, "\"\u2028\u2029\x7f\"", `{ "a" : [1, 2.50 ,1e999] , "\u0061":"\/" }`, `12345678901234567890123`,
		`"\ud800"`, `"x\udc00\ud83dy"`, `"\u0000"`, `{"a":1,"a":2}`, strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
	} {
		for to, want := range map[string]string{"user:bob": enveloped(data, `"bob"`), "group:/ws/": data} {
			got := s.send(`{"to":"` + to + `", "data": ` + data + ` , "keep":false}`)
			if got.status != http.StatusOK {
				t.Fatalf("%.50s: %+v", data, got)
			}
			from := map[string]interface{ Receive() string }{"user:bob": bob, "group:/ws/": all}[to]
			if text := from.Receive(); text != want {
				t.Errorf("%s: got %.100s, want %.100s", to, text, want)
			}
		}
	}
}

// TestNamesAreToldAsTheyAre has a name not grow either, to its user and its sender.
func TestNamesAreToldAsTheyAre(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	odd, alice := s.dial("/ws/%3Cb%3E&%22/"), s.dial("/ws/alice/?ack=1")
	if got := s.send(`{"to":"user:<b>&\"","data":1}`); got.status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	if got, want := odd.Receive(), enveloped("1", `"<b>&\""`); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	alice.Send(`{"to_user":"<b>&\""}`)
	if got, want := alice.Receive(), `{"ack":{"to_user":"<b>&\"","state":"sent"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSendBoundsWhatIsStored holds the message that receivers get to --message-bytes,
// whatever the body that it came in is like.
func TestSendBoundsWhatIsStored(t *testing.T) {
	t.Parallel()
	const limit = 1000
	s := start(t, server.Config{Limits: server.Limits{MessageBytes: limit}})
	bob, all := s.dial("/ws/bob/"), s.dial("/ws/")
	for _, to := range []struct {
		address string
		from    interface{ Receive() string }
		around  int // the data
	}{
		{"user:bob", bob, len(enveloped("", `"bob"`))},
		{"user:b\\u006fb", bob, len(enveloped("", `"bob"`))},
		{"group:/ws/", all, 0},
	} {
		body := func(n int) string {
			data := `"` + strings.Repeat("<", n-to.around-2) + `"`
			return `{ "to": "` + to.address + `", "data": ` + data + `, "keep": false }`
		}
		if got := s.send(body(limit)); got.status != http.StatusOK {
			t.Errorf("%s: %+v", to.address, got)
		}
		if got := to.from.Receive(); len(got) != limit {
			t.Errorf("%s: got %d bytes, want %d", to.address, len(got), limit)
		}
		refused := s.send(body(limit + 1))
		wantProblem(t, refused, http.StatusRequestEntityTooLarge, "too_large")
		for _, size := range []int{limit, limit + 1} {
			if !strings.Contains(refused.body, fmt.Sprint(size, " ")) {
				t.Errorf("%s: %s does not say %d", to.address, refused.body, size)
			}
		}
	}
	huge := s.send(`{"to":"user:bob","data":1` + strings.Repeat(" ", limit+server.SendAround) + `}`)
	wantProblem(t, huge, http.StatusRequestEntityTooLarge, "too_large")
	bob.ReceiveNothing()
}

// TestSendRefusesDoubtfulBodies refuses what two readers could take for two things.
func TestSendRefusesDoubtfulBodies(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	replacement := s.dial("/ws/%EF%BF%BD/")
	for body, says := range map[string]string{
		`{"to":"user:\ud800","data":1}`:                               "surrogate",
		`{"to":"user:\ud83dx","data":1}`:                              "surrogate",
		`{"to":"user:\udc00\ud800","data":1}`:                         "surrogate",
		`{"to":"user:\ud83d\u0041","data":1}`:                         "surrogate",
		`{"to":"user:\uD83E\ud83e\udd9c","data":1}`:                   "surrogate",
		`{"to":"user:bob","data":1,"key":"\uDFFF"}`:                   "surrogate",
		`{"to":"user:bob","data":1,"data":2}`:                         "twice",
		`{"to":"user:bob","data":1,"\u0074o":"user:eve"}`:             "twice",
		`{"to":"user:bob","data":1,"keep":true,"keep":true}`:          "twice",
		"{\"to\":\"user:bob\",\"data\":\"\x00\"}":                     "not valid JSON",
		"{\"to\":\"user:bo\x00b\",\"data\":1}":                        "not valid JSON",
		`{"to":"user:bo\u0000b","data":1}`:                            "control",
		"{\"to\":\"user:bob\",\"data\":\"\xed\xa0\x80\"}":             "UTF-8",
		`{"to":"user:bob","data":` + strings.Repeat("[", 1<<15) + `}`: "not valid JSON",
		`{"to":"user:bob","data":` + deep(10000) + `}`:                "depth",
		"\ufeff" + `{"to":"user:bob","data":1}`:                       "not valid JSON",
	} {
		t.Run(fmt.Sprintf("%.60q", body), func(t *testing.T) {
			got := s.send(body)
			wantProblem(t, got, http.StatusBadRequest, "bad_request")
			if !strings.Contains(got.body, says) {
				t.Errorf("%s does not say %q", got.body, says)
			}
		})
	}
	replacement.ReceiveNothing()
	if got := s.send(`{"to":"user:\ud83e\udd9c\uFFFD\\ud800","data":1,"key":"\ufffd"}`); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
}

func deep(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

// TestLoneSurrogates refuses a to_user that is no text, instead of taking it for
// another user's name. What else a message holds is the receiver's business.
func TestLoneSurrogates(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	replacement, alice := s.dial("/ws/%EF%BF%BD/"), s.dial("/ws/alice/")
	for _, name := range []string{`\ud800`, `x\udc00y`, `\ud83d\u0041`} {
		alice.Send(`{"to_user":"` + name + `","message":1}`)
		if got := alice.Receive(); !strings.Contains(got, `"code":"bad_request"`) || !strings.Contains(got, "surrogate") {
			t.Errorf("%s: got %s", name, got)
		}
	}
	replacement.ReceiveNothing()
	sound := `{"to_user":"\ufffd","message":"\ud800"}`
	alice.Send(sound)
	if got := replacement.Receive(); got != sound {
		t.Errorf("got %s, want %s", got, sound)
	}
}
