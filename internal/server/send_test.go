package server_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-rt/parley/internal/server"
)

var asJSON = map[string]string{"Content-Type": "application/json"}

func (r *running) send(body string) response {
	r.t.Helper()
	return r.do(http.MethodPost, r.url("/v1/send"), body, asJSON)
}

// wantProblem holds a response against RFC 9457.
func wantProblem(t *testing.T, got response, status int, code string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Code string
		Status                    int
	}
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		t.Errorf("%v in %q", err, got.body)
	}
	if got.status != status || p.Status != status || p.Code != code || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("got %d %s, want %d with code %s", got.status, got.body, status, code)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("the Content-Type is %s", kind)
	}
}

func TestSendToUser(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	bob, bobsPhone, all := s.dial("/ws/bob/"), s.dial("/ws/bob/"), s.dial("/ws/")
	for _, data := range []string{`"hello"`, `{"a":[1,2.50,null]}`, `null`, `17`, `"🦜<b>"`} {
		got := s.send(`{"to":"user:bob","data":` + data + `}`)
		if got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"state":"sent"}` {
			t.Errorf("%s: %+v", data, got)
		}
		text := bob.Receive()
		if text != bobsPhone.Receive() {
			t.Error("the two connections got different texts")
		}
		wantEnvelope(t, text, data)
	}
	all.ReceiveNothing()
}

// wantEnvelope checks what arrives at /ws/bob/ of data that a program sent.
func wantEnvelope(t *testing.T, text, data string) {
	t.Helper()
	var got, want map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{"message":`+data+`,"from":null,"to_user":"bob"}`), &want); err != nil {
		t.Fatal(err)
	}
	if g, w := encode(t, got), encode(t, want); g != w {
		t.Errorf("got %s, want %s", g, w)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSendToBroadcast(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	all, other, bob := s.dial("/ws/"), s.dial("/ws/"), s.dial("/ws/bob/")
	if got := s.send(`{"to":"group:/ws/","data":{"message":"Hello", "n":1.0}}`); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	want := `{"message":"Hello", "n":1.0}`
	if got := all.Receive(); got != want || other.Receive() != want {
		t.Errorf("got %s", got)
	}
	bob.ReceiveNothing()
}

// TestSendToAbsent sends where nobody listens, which is no error but for users.
func TestSendToAbsent(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{Storage: nothingKept})
	all := s.dial("/ws/")
	for _, to := range []string{"everyone", "group:lobby", "group:user:bob"} {
		if got := s.send(`{"to":"` + to + `","data":1}`); got.status != http.StatusOK {
			t.Errorf("%s: %+v", to, got)
		}
	}
	wantProblem(t, s.send(`{"to":"user:bob","data":1}`), http.StatusNotFound, "not_found")
	all.ReceiveNothing()
}

func TestSendRefusesBodies(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	bob := s.dial("/ws/bob/")
	for _, body := range []string{
		``, `{`, `null`, `[]`, `"x"`, `{}`,
		`{"to":"user:bob"}`, `{"data":1}`, `{"to":null,"data":1}`, `{"to":7,"data":1}`, `{"To":"user:bob","data":1}`,
		`{"to":"user:bob","data":1,"from":"eve"}`, `{"to":"user:bob","data":1,"DATA":2}`,
		`{"to":"user:bob","data":1}{}`, `{"to":"user:bob","data":nope}`, `{"to":"user:bob","data":"` + "\xff" + `"}`,
		`{"to":"","data":1}`, `{"to":"bob","data":1}`, `{"to":"user:","data":1}`, `{"to":"group:","data":1}`,
		`{"to":"user:a\u0007","data":1}`, `{"to":"conn:00000000000000000000000000000000","data":1}`,
		`{"to":"user:` + strings.Repeat("n", 201) + `","data":1}`,
	} {
		t.Run(body, func(t *testing.T) { wantProblem(t, s.send(body), http.StatusBadRequest, "bad_request") })
	}
	bob.ReceiveNothing()
}

// TestSendBoundsTheMessage has a message of --message-bytes by default get to a user,
// whose own limit is the same; TestSendBoundsWhatIsStored has the edges.
func TestSendBoundsTheMessage(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	bob := s.dial("/ws/bob/")
	body := func(n int) string {
		return `{"to":"user:bob","data":"` + strings.Repeat("&", n-len(enveloped(`""`, `"bob"`))) + `"}`
	}
	if got := s.send(body(1 << 20)); got.status != http.StatusOK {
		t.Errorf("1 MiB: %+v", got)
	}
	if got := len(bob.Receive()); got != 1<<20 {
		t.Errorf("got %d bytes", got)
	}
	wantProblem(t, s.send(body(1<<20+1)), http.StatusRequestEntityTooLarge, "too_large")
}

// TestSendOfHalfABody has a client give up, which is no fault of the server's.
func TestSendOfHalfABody(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	nc, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	const half = "POST /v1/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	if _, err := nc.Write([]byte(half)); err != nil {
		t.Fatal(err)
	}
	if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(nc); err != nil || !strings.Contains(string(answer), "400 Bad Request") {
		t.Errorf("got %v, %s", err, answer)
	}
	if log := s.log.String(); strings.Contains(log, "ERROR") {
		t.Error(log)
	}
}

func TestSendWantsPOSTAndJSON(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	const body = `{"to":"everyone","data":1}`
	got := s.do(http.MethodPut, s.url("/v1/send"), body, asJSON)
	wantProblem(t, got, http.StatusMethodNotAllowed, "bad_request")
	if allow := got.header.Get("Allow"); allow != "POST" {
		t.Errorf("Allow: %s", allow)
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json;;"} {
		got := s.do(http.MethodPost, s.url("/v1/send"), body, map[string]string{"Content-Type": kind})
		wantProblem(t, got, http.StatusUnsupportedMediaType, "bad_request")
	}
	got = s.do(http.MethodPost, s.url("/v1/send"), body, map[string]string{"Content-Type": "Application/JSON; charset=utf-8"})
	if got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	wantProblem(t, s.get("/v1/nothing"), http.StatusNotFound, "not_found")
}

func TestSendRefusesOtherOrigins(t *testing.T) {
	t.Parallel()
	s := start(t, server.Config{})
	for _, header := range []map[string]string{
		{"Origin": "https://evil.example"},
		{"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-site"},
		{"Sec-Fetch-Site": "cross-site"},
	} {
		header["Content-Type"] = "application/json"
		wantProblem(t, s.do(http.MethodPost, s.url("/v1/send"), `{"to":"everyone","data":1}`, header), http.StatusForbidden, "forbidden")
	}
	own := map[string]string{"Content-Type": "application/json", "Origin": strings.TrimSuffix(s.URL(), "/"), "Sec-Fetch-Site": "same-origin"}
	if got := s.do(http.MethodPost, s.url("/v1/send"), `{"to":"everyone","data":1}`, own); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
}
