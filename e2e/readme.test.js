// What the README tells people to paste, pasted.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { launch, openTab } from "./browser.js";
import { nodeClient } from "./clients/node.js";
import { Server } from "./server.js";

let browser;
let server;
let readme;

before(async () => {
  server = await Server.start();
  browser = await launch();
  const text = await readFile(new URL("../README.md", import.meta.url), "utf8");
  readme = text.replaceAll("http://127.0.0.1:8000", server.url.slice(0, -1)).replaceAll("ws://127.0.0.1:8000", server.ws(""));
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("the browser client says hi to alice, and hears her", async (t) => {
  const alice = await nodeClient(t, server.ws("/ws/alice/"));
  const page = await openTab(t, browser, server.url);
  const heard = page.waitForEvent("console", { predicate: (said) => said.text().includes("hi bob") });
  const client = readme.match(/```js\n(.*?)```/s)[1];
  await page.evaluate(`(() => { ${client} })()`);
  await alice.received('{"message":"hi","to_user":"alice"}');
  alice.send('{"message":"hi bob","to_user":"bob"}');
  await heard;
});

test("the curl line reaches bob", async (t) => {
  const bob = await nodeClient(t, server.ws("/ws/bob/"));
  const line = readme.match(/^ +(curl .*)$/m)[1];
  const { stdout } = await promisify(execFile)("sh", ["-c", `${line} --silent --show-error --fail --max-time 10`]);
  assert.equal(stdout.trim(), '{"state":"sent"}');
  await bob.received('{"message":"your order has shipped","from":null,"to_user":"bob"}');
});
