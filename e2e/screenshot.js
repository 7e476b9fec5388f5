// Writes docs/screenshot.png: two people talk, seen by one of them. The font is
// the machine's; fonts-noto-core is what the picture in the repository has.
import { fileURLToPath } from "node:url";
import { launch } from "./browser.js";
import { DemoPage } from "./demo_page.js";
import { Server } from "./server.js";

const target = fileURLToPath(new URL("../docs/screenshot.png", import.meta.url));
const view = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 2, colorScheme: "light", reducedMotion: "reduce" };

const script = [
  ["09:38", "Ben", "", "Morning! The new build is on staging."],
  ["09:39", "Ada", "", "Thank you, I’ll go through the checklist before ten."],
  ["09:41", "Ben", "Ada", "Between us: the login page still has the old logo. Shall I wait?"],
  ["09:41", "Ada", "Ben", "No need, I’ll change it in the next one."],
  ["09:52", "Ada", "", "Checklist done, all green. We can go ahead."],
  ["09:53", "Ben", "", "Going ahead then. Thanks, everyone!"],
];

const releases = [];
const t = { after: (release) => releases.unshift(release) };

try {
  const server = await Server.start();
  t.after(() => server.stop());
  const browser = await launch();
  t.after(() => browser.close());
  await take(browser, server);
} finally {
  for (const release of releases) await release();
}

async function take(browser, server) {
  const people = {
    Ada: await DemoPage.open(t, browser, server, "", view),
    Ben: await DemoPage.open(t, browser, server, "", view),
  };
  for (const [name, person] of Object.entries(people)) {
    await person.page.clock.setFixedTime(new Date("2026-05-12T09:37:00"));
    await person.rename(name);
  }
  for (const [time, from, to, text] of script) {
    for (const person of Object.values(people)) await person.page.clock.setFixedTime(new Date(`2026-05-12T${time}:00`));
    await (to ? people[from].sayTo(to, text) : people[from].sayToEveryone(text));
    await Promise.all(Object.values(people).map((person) => person.entry(text).waitFor()));
    if (to) await people[from].entry(text, "Sent ✓").waitFor();
  }
  await people.Ada.page.mouse.move(0, 0);
  await people.Ada.page.screenshot({ path: target });
  console.log(target);
}
