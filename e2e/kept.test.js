// Messages that wait: on the page, and for clients without an SDK.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { nodeClient } from "./clients/node.js";
import { DemoPage } from "./demo_page.js";
import { Proxy } from "./proxy.js";
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

const cutOff = (text) => /WebSocket connection to .* failed/.test(text);
const open = (t, name) => DemoPage.open(t, browser, server, name, { allow: cutOff });

test("three messages to one who is away outlive their sender and kill -9", async (t) => {
  const bob = await open(t, "Bob");
  let answered; // alice's own socket is closed
  const onSocket = (socket) => {
    if (socket.url().includes("/ws/Alice/")) answered = socket.waitForEvent("close");
  };
  const alice = await DemoPage.open(t, browser, server, "Alice", { allow: cutOff, onSocket });
  await bob.page.context().close();

  for (const text of ["first", "second", "third"]) await alice.sayTo("Bob", text);
  await alice.close.click();
  await answered;
  await server.kill();
  await server.run();

  const back = await open(t, "Bob");
  await back.entry("Alice", "third").waitFor();
  const shown = await back.entry("Alice", "to you").allInnerTexts();
  assert.deepEqual(shown.map((text) => text.match(/first|second|third/)?.[0]), ["first", "second", "third"]);
});

test("a message to one who is not connected is shown as waiting, until they come", async (t) => {
  const ada = await open(t, "Ada");
  await ada.sayTo("Zoë", "are you there?");
  await ada.entry("to Zoë", "are you there?", "Waiting until Zoë connects").waitFor();
  const zoe = await open(t, "Zoë");
  await zoe.entry("Ada", "to you", "are you there?").waitFor();
  await ada.sayTo("Zoë", "good");
  await ada.entry("to Zoë", "good", "Sent ✓").waitFor();
  await zoe.close.click();
  await zoe.status.getByText("Closed by you").waitFor();
  await ada.sayTo("Zoë", "gone again?");
  await ada.entry("gone again?", "Waiting until Zoë connects").waitFor();
  await zoe.reconnect.click();
  await zoe.entry("Ada", "to you", "gone again?").waitFor();
  assert.equal(await zoe.entry("Ada", "to you").count(), 3);
});

test("a page whose connection was lost shows nothing twice", async (t) => {
  const proxy = await Proxy.start(server.port);
  t.after(() => proxy.stop());
  const ada = await DemoPage.open(t, browser, proxy, "Ada-1", { allow: cutOff });
  const ben = await open(t, "Ben-1");
  proxy.mute(); // no pong gets through
  await ben.sayTo("Ada-1", "just once");
  await ada.entry("Ben-1", "just once").waitFor();
  proxy.cut();
  await ada.entry("You are connected again").waitFor();
  await ben.sayTo("Ada-1", "afterwards");
  await ada.entry("Ben-1", "afterwards").waitFor();
  assert.equal(await ada.entry("Ben-1", "just once").count(), 1);
});

test("a client that never answered a ping gets its messages again, one that did does not", async (t) => {
  const ada = await nodeClient(t, server.ws("/ws/ada/?ack=1"));
  ada.send("wait", "cy");
  await ada.received('{"ack":{"to_user":"cy","state":"kept"}}');
  const deaf = await nodeClient(t, server.ws("/ws/cy/"), { autoPong: false });
  await deaf.received('"wait"');
  deaf.socket.terminate();

  const cy = await nodeClient(t, server.ws("/ws/cy/?ack=1"), { autoPong: false });
  await cy.received('"wait"');
  await cy.pings.received("");
  cy.socket.pong(cy.pings.all()[0]);
  cy.send("behind the pong", "ada");
  await cy.received('"ack"');
  assert.equal(await cy.close(), 1000);

  const again = await nodeClient(t, server.ws("/ws/cy/"));
  ada.send("and now", "cy");
  await again.received('"and now"');
  assert.ok(!again.lines.has('"wait"'));
});

test("what was acknowledged as kept or sent is there after kill -9", async (t) => {
  const own = await Server.start();
  t.after(() => own.stop());
  const ada = await nodeClient(t, own.ws("/ws/ada/?ack=1"));
  const deaf = await nodeClient(t, own.ws("/ws/online/"), { autoPong: false });
  for (const [user, state] of [["offline", "kept"], ["online", "sent"]]) {
    ada.send(`to ${user}`, user);
    await ada.received(`{"ack":{"to_user":"${user}","state":"${state}"}}`);
  }
  await own.kill();
  await own.run();
  deaf.socket.terminate();
  for (const user of ["offline", "online"]) {
    const back = await nodeClient(t, own.ws(`/ws/${user}/`));
    await back.received(`{"message":"to ${user}","to_user":"${user}"}`);
  }
});

test("a close is answered when all is safe: a hundred messages and goodbye", async (t) => {
  const own = await Server.start();
  t.after(() => own.stop());
  const ada = await nodeClient(t, own.ws("/ws/ada/"));
  for (let i = 0; i < 100; i++) ada.send(`message ${i}.`, "bob");
  assert.equal(await ada.close(), 1000);
  await own.kill();
  await own.run();
  const bob = await nodeClient(t, own.ws("/ws/bob/"));
  await bob.received("message 99.");
  assert.deepEqual(bob.lines.all().map((text) => JSON.parse(text).message), Array.from({ length: 100 }, (_, i) => `message ${i}.`));
});
