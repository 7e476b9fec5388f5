import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { personURL } from "../web/addresses.js";
import { backoff } from "../web/backoff.js";
import { closeWords, shouldReconnect } from "../web/closecodes.js";
import { nameProblem } from "../web/identity.js";
import { indented } from "../web/indent.js";
import { Outbox } from "../web/outbox.js";
import { Repeats } from "../web/repeats.js";
import { uuid4 } from "../web/uuid.js";
import { fromEveryone, fromPerson, toPerson } from "../web/wire.js";

test("pauses double from half a second to a cap, half of each by chance", () => {
  assert.deepEqual([backoff(0, () => 0), backoff(0, () => 1)], [250, 500]);
  assert.deepEqual([backoff(3, () => 0), backoff(3, () => 1)], [2000, 4000]);
  assert.deepEqual([backoff(50, () => 0), backoff(5000, () => 1)], [7500, 15000]);
});

test("close codes are said in words and tell whether to come back", () => {
  assert.equal(closeWords(1012), "the server is restarting (1012)");
  assert.equal(closeWords(1012, "deploy"), "the server is restarting (1012: deploy)");
  assert.equal(closeWords(4999, "too slow"), "too slow (4999)");
  assert.equal(closeWords(4999), "closed by the server (4999)");
  assert.ok(shouldReconnect(4999));
});

test("the close codes are the server's", async () => {
  const source = await readFile(new URL("../closecode.go", import.meta.url), "utf8");
  const codes = new Map(Array.from(source.matchAll(/(Close\w+)\s+CloseCode = (\d+)/g), ([, name, code]) => [name, Number(code)]));
  const rows = Array.from(source.matchAll(/(Close\w+):\s+\{".*", (true|false)\}/g));
  assert.equal(rows.length, codes.size);
  for (const [, name, reconnect] of rows) {
    const code = codes.get(name);
    assert.equal(shouldReconnect(code), reconnect === "true", `${name} ${code}`);
    assert.notEqual(closeWords(code), `closed by the server (${code})`, name);
  }
});

test("a UUID is made without crypto.randomUUID too", () => {
  const source = { getRandomValues: (bytes) => bytes.fill(255) };
  assert.equal(uuid4(source), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  assert.match(uuid4(), /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
});

test("names are percent-encoded, and those that can't be have a reason", () => {
  const page = { protocol: "https:", host: "chat.example" };
  assert.equal(personURL("a/b ü?", page), "wss://chat.example/ws/a%2Fb%20%C3%BC%3F/");
  for (const name of ["x", "é".repeat(100), "*", "a b", "..."]) assert.equal(nameProblem(name), "", name);
  for (const name of ["", ".", "..", "a\nb", "\ud800", "é".repeat(101)]) assert.notEqual(nameProblem(name), "", name);
});

test("nobody but the server can acknowledge or refuse on a person's socket", () => {
  assert.deepEqual(fromPerson('{"ack":{"to_user":"Ben","state":"sent"}}'), { kind: "ack", to: "Ben", state: "sent" });
  assert.deepEqual(fromPerson('{"error":{"code":"not_found","message":"no","to_user":"Ben"}}'), { kind: "error", to: "Ben", code: "not_found", message: "no" });
  assert.deepEqual(fromPerson('{"missed":{"messages":7}}'), { kind: "missed", messages: 7, overdue: false });
  assert.deepEqual(fromPerson('{"missed":{"messages":0,"overdue":true}}'), { kind: "missed", messages: 0, overdue: true });
  assert.equal(fromPerson('{"ack":{"to_user":"Ben","state":"sent"},"to_user":"Ada"}').kind, "message");
  assert.equal(fromPerson('{"error":{"code":"x"},"to_user":"Ada","message":"m"}').kind, "message");
});

test("nobody can speak as the server to everyone", () => {
  assert.equal(fromEveryone('{"error":{"code":"x","message":"forged"}}').kind, "message");
  assert.equal(fromEveryone('{"ack":{"to_user":"Ben","state":"sent"}}').kind, "message");
});

test("whatever arrives can be shown", () => {
  assert.deepEqual(fromEveryone("plain"), { kind: "message", from: "", to: "", id: "", text: "plain", raw: false });
  assert.deepEqual(fromEveryone('{"message":"hi","from":"Ada"}'), { kind: "message", from: "Ada", to: "", id: "", text: "hi", raw: false });
  assert.deepEqual(fromPerson('{"message":7,"from":null,"to_user":"Ada"}'), { kind: "message", from: "", to: "Ada", id: "", text: "7", raw: true });
  assert.equal(fromPerson(toPerson("hi", "Ben", "Ada", "1-2-3")).id, "1-2-3");
  for (const data of ["", "null", "[]", "3", '{"message":null}', '{"error":null}', new ArrayBuffer(0), new ArrayBuffer(100)]) {
    assert.equal(typeof fromEveryone(data).text, "string");
    assert.equal(typeof fromPerson(data).text, "string");
  }
});

test("an answer is about the oldest message that it fits", () => {
  const outbox = new Outbox();
  const settled = [];
  const add = (id, channel, to) => outbox.add({ channel, raw: id, to, settle: (state) => settled.push(`${id} ${state}`) });
  add("1", "person", "Ben");
  add("2", "person", "Cleo");
  add("3", "person", "Ben");
  add("4", "everyone", "");
  assert.ok(outbox.answered("person", "Cleo", "failed"));
  assert.ok(outbox.answered("person", "Ben", "sent"));
  assert.ok(!outbox.answered("person", "Dan", "sent"));
  assert.ok(!outbox.echoed("5"));
  assert.ok(outbox.echoed("4"));
  outbox.lost("person");
  assert.deepEqual(settled, ["2 failed", "1 sent", "4 sent", "3 unconfirmed"]);
});

test("what came is known for long enough, and without an id it is new", () => {
  const repeats = new Repeats();
  assert.ok(!repeats.isRepeat(""));
  assert.ok(!repeats.isRepeat(""));
  for (let i = 0; i < 2000; i++) assert.ok(!repeats.isRepeat(`id ${i}`));
  for (let i = 0; i < 2000; i++) assert.ok(repeats.isRepeat(`id ${i}`));
  assert.ok(!repeats.isRepeat("one more"));
  assert.ok(!repeats.isRepeat("id 0"));
});

test("data is indented no further than it is shown", () => {
  for (const value of [[], {}, [1, [2, {}], { a: null, b: "x", c: [true] }], { a: { b: [] } }, "x", 7]) {
    assert.equal(indented(value), JSON.stringify(value, null, 2));
  }
  for (const depth of [1000, 5000]) {
    const data = `{"message":${"[".repeat(depth)}${"1,".repeat(200_000)}1${"]".repeat(depth)}}`;
    const { text } = fromEveryone(data);
    assert.ok(text.length < 30_000, `${text.length} characters`);
    assert.equal(text.slice(0, 8), "[\n  [\n  ");
  }
  assert.ok(indented({ ["k".repeat(1e6)]: "v".repeat(1e6) }).length < 30_000);
});

test("names and ids have a length", () => {
  const long = "x".repeat(1_000_000);
  const said = fromPerson(JSON.stringify({ message: "m", from: long, to_user: long, id: long }));
  assert.deepEqual(said, { kind: "message", from: "", to: "", id: "", text: "m", raw: false });
  assert.equal(fromPerson(toPerson("m", "n".repeat(200), "Ada", "1")).from.length, 200);
});
