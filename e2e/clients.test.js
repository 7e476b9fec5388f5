import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { nodeClient } from "./clients/node.js";
import { pageClient } from "./clients/page.js";
import { pythonClient } from "./clients/python.js";
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

for (const slash of ["/", ""]) {
  test(`clients without an SDK talk to everyone, on /ws${slash}`, async (t) => {
    const all = await connect(t, () => server.ws(`/ws${slash}`));
    for (const [speaker, client] of Object.entries(all)) {
      await client.send(`to all from ${speaker}`);
      await Promise.all(Object.values(all).map((each) => each.received(`to all from ${speaker}`)));
    }
    await Promise.all(Object.values(all).map((each) => each.close()));
  });

  test(`clients without an SDK talk to one another, on /ws/name${slash}`, async (t) => {
    const all = await connect(t, (name) => server.ws(`/ws/${name}${slash}`));
    for (const [speaker, client] of Object.entries(all)) {
      for (const [name, each] of Object.entries(all)) {
        const message = `for ${name} by ${speaker}`;
        await client.send(message, name);
        await each.received(JSON.stringify({ message, to_user: name }));
      }
    }
    await Promise.all(Object.values(all).map((each) => each.close()));
  });
}

test("a tutorial's page is told when nobody has the name, where nothing is kept", async (t) => {
  const forgetful = await Server.start("--keep=none");
  t.after(() => forgetful.stop());
  const bob = await pageClient(t, browser, forgetful.ws("/ws/bob/"));
  await bob.send("hello?", "nobody");
  await bob.received('"not_found"');
});

test("clients without an SDK get what waited for them", async (t) => {
  const ada = await nodeClient(t, server.ws("/ws/ada/?ack=1"));
  for (const [name, client] of Object.entries({ page: (url) => pageClient(t, browser, url), node: (url) => nodeClient(t, url), python: (url) => pythonClient(t, url) })) {
    for (const message of ["first", "second"]) ada.send(message, `late-${name}`);
    await ada.received(`{"ack":{"to_user":"late-${name}","state":"kept"}}`);
    const late = await client(server.ws(`/ws/late-${name}/`));
    await late.received("second");
    await late.received("first");
    await late.close();
  }
});

test("unknown keys arrive, and the text as it was sent", async (t) => {
  const bob = await nodeClient(t, server.ws("/ws/bob/"));
  const ada = await nodeClient(t, server.ws("/ws/ada/"));
  const text = '{ "to_user" : "bob",  "message":{"a":[1, 2.50]}, "extra":"\\u00e9" }';
  ada.send(text);
  await bob.received(text);
  assert.ok(!ada.lines.has("message"));
});

test("a tutorial's page and the demo page understand each other", async (t) => {
  const ada = await DemoPage.open(t, browser, server, "Ada");
  const bob = await pageClient(t, browser, server.ws("/ws/bob/"));
  const hall = await pageClient(t, browser, server.ws("/ws/"));
  await bob.send("from a tutorial", "Ada");
  await ada.entry("Someone", "to you", "private", "from a tutorial").waitFor();
  await ada.sayTo("bob", "from the page");
  await bob.received("from the page");
  await hall.send("hello all");
  await ada.entry("Someone", "to everyone", "hello all").waitFor();
  await ada.sayToEveryone("hello hall");
  await hall.received('{"message":"hello hall","from":"Ada"}');
});

async function connect(t, url) {
  const [page, node, python] = await Promise.all([
    pageClient(t, browser, url("page")),
    nodeClient(t, url("node")),
    pythonClient(t, url("python")),
  ]);
  return { page, node, python };
}
