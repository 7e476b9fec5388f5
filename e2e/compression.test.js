import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { nodeClient } from "./clients/node.js";
import { pageClient } from "./clients/page.js";
import { pythonClient } from "./clients/python.js";
import { Server } from "./server.js";

let browser;
let server;
let plain;

before(async () => {
  server = await Server.start("--compress");
  plain = await Server.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await plain?.stop();
});

const LONG = 100_000;
const clients = {
  page: (t, url) => pageClient(t, browser, url),
  node: nodeClient,
  python: pythonClient,
};

// long returns a text of 100 KB that says who wrote it, and to whom.
function long(name) {
  let text = "";
  for (let i = 0; text.length < LONG; i++) text += `${name} ${i * i}, `;
  return text.slice(0, LONG - name.length) + name;
}

test("clients that compress talk to everyone, one that does not too", async (t) => {
  const all = await connect(t, () => server.ws("/ws/"));
  const other = await nodeClient(t, server.ws("/ws/"), { perMessageDeflate: false });
  assert.equal(await other.extensions(), "");
  all.other = other;
  for (const [speaker, client] of Object.entries(all)) {
    for (const text of [`hello from ${speaker}`, long(speaker)]) {
      await client.send(text);
      await Promise.all(Object.values(all).map((each) => each.received(text)));
    }
  }
  await Promise.all(Object.values(all).map((each) => each.close()));
});

test("clients that compress talk to one another", async (t) => {
  const all = await connect(t, (name) => server.ws(`/ws/${name}/`));
  for (const [speaker, client] of Object.entries(all)) {
    for (const [name, each] of Object.entries(all)) {
      for (const message of [`for ${name} by ${speaker}`, long(`for ${name} by ${speaker}`)]) {
        await client.send(message, name);
        await each.received(JSON.stringify({ message, to_user: name }));
      }
    }
  }
  await Promise.all(Object.values(all).map((each) => each.close()));
});

test("without --compress no offer is taken", async (t) => {
  for (const [name, client] of Object.entries(clients)) {
    const one = await client(t, plain.ws(`/ws/${name}/`));
    assert.equal(await one.extensions(), "", name);
    await one.close();
  }
});

// connect opens each client, and fails unless it agreed on compression.
async function connect(t, url) {
  const all = {};
  for (const [name, client] of Object.entries(clients)) {
    all[name] = await client(t, url(name));
    assert.match(await all[name].extensions(), /^permessage-deflate/, name);
  }
  return all;
}
