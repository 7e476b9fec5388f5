import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const TIMEOUT_MS = 60_000;

// launch starts Debian's Chromium, or the one that CHROMIUM names.
export function launch() {
  return chromium.launch({
    timeout: TIMEOUT_MS,
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

// openTab opens url in a context of its own, which closes with the test t.
// The test fails on anything that the page reports as an error, unless
// allow(text) says that it belongs to the test. onSocket(socket) is called for
// each WebSocket that the page opens.
export async function openTab(t, browser, url, { allow = () => false, onSocket = () => {}, ...options } = {}) {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  context.setDefaultTimeout(TIMEOUT_MS);
  const errors = [];
  context.on("weberror", (event) => errors.push(String(event.error())));
  context.on("console", (event) => isTrouble(event, allow) && errors.push(event.text()));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, [], "errors that the page reported");
  });
  const page = await context.newPage();
  page.on("websocket", (socket) => onSocket(socket));
  await page.goto(url);
  return page;
}

function isTrouble(event, allow) {
  return ["error", "warning"].includes(event.type()) && !allow(event.text());
}
