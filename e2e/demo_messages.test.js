import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { launch } from "./browser.js";
import { DemoPage } from "./demo_page.js";
import { Server } from "./server.js";

let browser;
let server;

before(async () => {
  server = await Server.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const open = (t, name, options) => DemoPage.open(t, browser, server, name, options);

test("what is said to everyone reaches everyone, the speaker too", async (t) => {
  const ada = await open(t, "Ada");
  const ben = await open(t, "Ben");
  await ada.sayToEveryone("hello all");
  await ben.entry("Ada", "to everyone", "hello all").waitFor();
  await ben.sayToEveryone("hello Ada");
  await ada.entry("Ben", "to everyone", "hello Ada").waitFor();
  await ada.entry("You", "to everyone", "hello all").waitFor();
  assert.equal(await ada.entry("hello all").count(), 1);
});

test("what is said to one person reaches only that person", async (t) => {
  const ada = await open(t, "Ada");
  const ben = await open(t, "Ben");
  const cleo = await open(t, "Cleo");
  await ada.sayTo("Ben", "between us");
  await ben.entry("Ada", "to you", "private", "between us").waitFor();
  await ada.entry("You", "to Ben", "private", "between us", "Sent ✓").waitFor();
  await ada.sayTo("Cleo", "now to you");
  await cleo.entry("now to you").waitFor();
  assert.equal(await cleo.entry("between us").count(), 0);
});

test("a speaker's name is a way to answer them", async (t) => {
  const ada = await open(t, "Ada");
  const ben = await open(t, "Ben");
  await ada.sayToEveryone("who is there?");
  await ben.entry("who is there?").getByRole("button", { name: "Ada" }).click();
  assert.equal(await ben.theirName.inputValue(), "Ada");
  await ben.page.keyboard.type("me");
  await ben.page.keyboard.press("Enter");
  await ada.entry("Ben", "to you", "me").waitFor();
});

test("markup in a text or a name is shown as text", async (t) => {
  const markup = "<img src=x onerror=alert(1)><b>bold</b> & <script>alert(2)</script>";
  const eve = await open(t, "<i>Eve</i>");
  const ben = await open(t, "Ben");
  await eve.sayToEveryone(markup);
  await eve.sayTo("Ben", markup);
  await ben.entry("<i>Eve</i>", "to you", markup).waitFor();
  await ben.entry("<i>Eve</i>", "to everyone", markup).waitFor();
  assert.equal(await ben.log.locator("img, b, i, script").count(), 0);
});

test("a name may hold any characters", async (t) => {
  const names = ["a/b", "%2F", "..a ü 漢 👋", "?ack=1&x#y"];
  const ben = await open(t, "Ben");
  for (const name of names) {
    const person = await open(t, name);
    await ben.sayTo(name, `to ${name}`);
    await person.entry("Ben", "to you", `to ${name}`).waitFor();
    await person.sayTo("Ben", `from ${name}`);
    await ben.entry(name, "to you", `from ${name}`).waitFor();
  }
});

test("where nothing is kept, a recipient whom nobody is called brings the server's error", async (t) => {
  const forgetful = await Server.start("--keep=none");
  t.after(() => forgetful.stop());
  const ada = await DemoPage.open(t, browser, forgetful, "Ada");
  await ada.sayTo("Nobody", "are you there?");
  await ada.alert.getByText("Not delivered: nobody called Nobody is connected.").waitFor();
  await ada.sayTo("Ada", "then I talk to myself");
  await ada.entry("Ada", "to you", "then I talk to myself").waitFor();
});

test("a message to one person wants a name, and an empty one is not sent", async (t) => {
  const ada = await open(t, "Ada");
  await ada.sayTo("", "to whom?");
  await ada.alert.getByText("enter their name").waitFor();
  assert.equal(await ada.message.inputValue(), "to whom?");
  await ada.sayToEveryone("   ");
  await ada.sayToEveryone("something");
  await ada.entry("something").waitFor();
  assert.equal(await ada.log.getByText("You", { exact: true }).count(), 1);
});

test("texts, JSON and bytes of other clients are shown for what they are", async (t) => {
  const ada = await open(t, "Ada");
  const other = new WebSocket(server.ws("/ws/"));
  t.after(() => other.terminate());
  await new Promise((resolve, reject) => other.on("open", resolve).on("error", reject));
  other.send("just text");
  other.send('{"temperature":21.5}');
  other.send('{"message":{"nested":[1,2]},"from":"sensor"}');
  other.send(Buffer.from([0, 255, 16]));
  other.send('{"ack":{"to_user":"Ada","state":"sent"}}');
  await ada.entry("Someone", "to everyone", "just text").waitFor();
  await ada.entry('{"temperature":21.5}').waitFor();
  await ada.entry("sensor", '"nested"').waitFor();
  await ada.entry("3 bytes: 00 ff 10").waitFor();
  await ada.entry('{"ack":{"to_user":"Ada","state":"sent"}}').waitFor();
});

test("the conversation keeps its last 500 entries", async (t) => {
  const ada = await open(t, "Ada");
  const other = new WebSocket(server.ws("/ws/"));
  t.after(() => other.terminate());
  await new Promise((resolve, reject) => other.on("open", resolve).on("error", reject));
  // One at a time, so that no queue of the server's overflows.
  for (let i = 1; i <= 510; i++) {
    const echo = new Promise((resolve) => other.once("message", resolve));
    other.send(`line ${i}.`);
    await echo;
  }
  await ada.entry("line 510.").waitFor();
  assert.equal(await ada.entries.count(), 500);
  assert.equal(await ada.entry("line 10.").count(), 0);
  assert.ok(await ada.entry("line 510.").isVisible());
});
