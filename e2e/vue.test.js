import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { launch, openTab } from "./browser.js";
import { Server } from "./server.js";
import { filesIn, Site } from "./site.js";

let browser;
let dist;
let server;
let site;

before(async () => {
  dist = await mkdtemp(join(tmpdir(), "parley-vue-"));
  await buildTo(dist);
  server = await Server.start();
  browser = await launch();
  site = await Site.start({ find: filesIn(dist), upstream: server.port });
});

after(async () => {
  await browser?.close();
  await site?.stop();
  await server?.stop();
  await rm(dist, { recursive: true });
});

test("the example's page talks to everyone and to one user, and closes", async (t) => {
  const ada = await VuePage.open(t, "Ada");
  const ben = await VuePage.open(t, "Ben");
  await ada.say("hello all");
  await ben.line("everyone hello all").waitFor();
  await ada.line("everyone hello all").waitFor();

  await ben.say("hello Ada", "Ada");
  await ada.line("Ben hello Ada").waitFor();
  await ben.line("you, to Ada hello Ada").waitFor();

  await ben.say("too long a name", "n".repeat(201));
  await ben.alert.getByText("nnn…: ").waitFor();
  await ben.say("anybody?", "Cleo");
  const cleo = await VuePage.open(t, "Cleo");
  await cleo.line("Ben anybody?").waitFor();

  await ada.button("Close").click();
  await ada.status.getByText("Not connected").waitFor();
  await ben.say("still there?", "Ada");
  await ada.button("Connect").click();
  await ada.status.getByText("Connected as Ada").waitFor();
  await ada.line("Ben still there?").waitFor();
  await ben.say("welcome back", "Ada");
  await ada.line("Ben welcome back").waitFor();
});

// VuePage is a person at the page of examples/vue.
class VuePage {
  static async open(t, name) {
    const vue = new VuePage(await openTab(t, browser, site.url));
    await vue.status.getByText("Connected as guest-").waitFor();
    await vue.page.getByLabel("Your name").fill(name);
    await vue.page.getByLabel("Your name").press("Tab");
    await vue.status.getByText(`Connected as ${name}`).waitFor();
    return vue;
  }

  constructor(page) {
    this.page = page;
    this.status = page.getByRole("status");
    this.alert = page.getByRole("alert");
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  line(text) {
    return this.page.getByRole("log").getByRole("listitem").filter({ hasText: text });
  }

  async say(text, user = "") {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.getByLabel("User", { exact: true }).fill(user);
    await this.button("Send").click();
  }
}

async function buildTo(folder) {
  const cwd = fileURLToPath(new URL("../examples/vue", import.meta.url));
  const run = promisify(execFile);
  await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd });
  await run("npm", ["run", "build", "--", "--outDir", folder, "--emptyOutDir"], { cwd });
}
