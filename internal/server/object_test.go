package server

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzMember holds member to what encoding/json says of the same data.
func FuzzMember(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"to_user":"bob"}`, ` { "a" : [ 1 , {"to_user":2} ] , "to_user" : "b\"ob" } `, `{"to\u005fuser":null,"to_user":1}`,
		`[]`, `null`, `{"a":"\\","to_user":true}`, "\t{\n\"to_user\"\r:-1.5e3}", `{"\"":{"}":"]"},"to_user":[[],{}]}`, `{"To_user":1}`, `{"a":1,}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := member(data, "to_user")
		var want map[string]json.RawMessage
		if json.Unmarshal(data, &want) != nil || want == nil {
			if err == nil {
				t.Errorf("%q was taken for an object", data)
			}
			return
		}
		if repeated(t, data, "to_user") {
			if err == nil {
				t.Errorf("%q: got %q of several", data, got)
			}
			return
		}
		if err != nil || !bytes.Equal(got, want["to_user"]) {
			t.Errorf("%q: got %q, %v, want %q", data, got, err, want["to_user"])
		}
	})
}

// repeated reports whether an object has a key more than once.
func repeated(t *testing.T, object []byte, key string) bool {
	t.Helper()
	d, n := json.NewDecoder(bytes.NewReader(object)), 0
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if name == key {
			n++
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return n > 1
}

func BenchmarkRecipient(b *testing.B) {
	data := []byte(`{"message":"hello there, how are you today?","to_user":"bob","from":"alice"}`)
	b.ReportAllocs()
	for b.Loop() {
		value, err := member(data, "to_user")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := text(value, "to_user"); err != nil {
			b.Fatal(err)
		}
	}
}
