import { readFile } from "node:fs/promises";
import { openTab } from "../browser.js";
import { Site } from "../site.js";

const html = await readFile(new URL("tutorial.html", import.meta.url), "utf8");

// pageClient opens a tutorial's page in the browser. It comes from a port of
// its own and connects straight to the server.
export async function pageClient(t, browser, url) {
  const body = html.replace("WEBSOCKET_URL", url);
  const site = await Site.start({ find: (path) => (path === "/" ? { type: "text/html; charset=utf-8", body } : null) });
  const page = await openTab(t, browser, site.url);
  t.after(() => site.stop());
  const log = page.locator("#log");
  await log.getByText("open").waitFor();
  return {
    async send(message, user = "") {
      await page.getByLabel("message").fill(message);
      await page.getByLabel("user").fill(user);
      await page.getByRole("button", { name: "Send" }).click();
    },
    received: (text) => page.waitForFunction((text) => document.querySelector("#log").textContent.includes(text), text),
    extensions: () => page.evaluate("socket.extensions"),
    async close() {
      await page.getByRole("button", { name: "Close" }).click();
      await log.getByText("closed").waitFor();
    },
  };
}
