import assert from "node:assert/strict";
import { after, before, test } from "node:test";
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

test("a tab is called by a UUID of its own, which survives a reload", async (t) => {
  const one = await open(t);
  const two = await open(t);
  const name = await one.name.inputValue();
  assert.match(name, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(await two.name.inputValue(), name);
  await one.page.reload();
  await one.connected();
  assert.equal(await one.name.inputValue(), name);
  await two.sayTo(name, "still you?");
  await one.entry("to you", "still you?").waitFor();
});

test("a second tab in the same browser is another person", async (t) => {
  const one = await open(t);
  const opened = one.page.waitForEvent("popup");
  await one.page.getByRole("link", { name: "in a second tab" }).click();
  const two = new DemoPage(await opened);
  await two.connected();
  assert.notEqual(await two.name.inputValue(), await one.name.inputValue());
});

test("a changed name is the one under which messages arrive", async (t) => {
  const ada = await open(t, "Ada");
  const ben = await open(t, "Ben");
  await ada.rename("Augusta");
  await ben.sayTo("Ada", "old name");
  await ben.entry("to Ada", "old name", "Waiting until Ada connects").waitFor();
  await ben.sayTo("Augusta", "new name");
  await ada.entry("to you", "new name").waitFor();
  await ada.sayTo("Ben", "it is me");
  await ben.entry("Augusta", "to you", "it is me").waitFor();
  assert.equal(await ada.page.title(), "Augusta – Parley");
});

test("a name that can't be is refused, and Escape brings back the old one", async (t) => {
  const ada = await open(t, "Ada");
  for (const bad of ["", "..", "x".repeat(201)]) {
    await ada.name.fill(bad);
    await ada.name.press("Enter");
    assert.equal(await ada.name.getAttribute("aria-invalid"), "true", `name ${JSON.stringify(bad)}`);
  }
  await ada.name.press("Escape");
  assert.equal(await ada.name.inputValue(), "Ada");
  assert.equal(await ada.name.getAttribute("aria-invalid"), "false");
});

test("Close ends it, Reconnect comes back and gets messages again", async (t) => {
  const ada = await open(t, "Ada");
  const ben = await open(t, "Ben");
  await ben.close.click();
  await ben.status.getByText("Closed by you (1000)").waitFor();
  assert.ok(await ben.close.isDisabled());
  await ben.sayToEveryone("nobody hears me");
  await ben.alert.getByText("You are not connected").waitFor();
  assert.equal(await ben.message.inputValue(), "nobody hears me");
  await ada.sayToEveryone("while Ben is away");
  await ada.entry("while Ben is away").waitFor();

  await ben.reconnect.click();
  await ben.connected();
  await ada.sayToEveryone("welcome back");
  await ben.entry("Ada", "welcome back").waitFor();
  await ada.sayTo("Ben", "only for you");
  await ben.entry("Ada", "to you", "only for you").waitFor();
  assert.equal(await ben.entry("while Ben is away").count(), 0);
});

test("a page outlives a restart of the server", async (t) => {
  const own = await Server.start();
  t.after(() => own.stop());
  const allow = (text) => /WebSocket connection to .* failed/.test(text);
  const ada = await DemoPage.open(t, browser, own, "Ada", { allow });
  const ben = await DemoPage.open(t, browser, own, "Ben", { allow });
  await own.halt();
  await Promise.all([ada, ben].map((person) => person.status.getByText("Reconnecting").waitFor()));
  await own.run();
  await Promise.all([ada.connected(), ben.connected()]);
  await ada.sayToEveryone("we are back");
  await ben.entry("Ada", "we are back").waitFor();
  await ben.sayTo("Ada", "so we are");
  await ada.entry("Ben", "to you", "so we are").waitFor();
});
