import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.js";
import { DemoPage } from "./demo_page.js";
import { Server } from "./server.js";

let browser;
let server;

before(async () => {
  server = await Server.start("--keep=none");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const open = (t, name, options) => DemoPage.open(t, browser, server, name, options);
const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };

test("everything can be done by keyboard, with the focus in sight", async (t) => {
  const ben = await open(t, "Ben");
  const kim = await open(t);
  const { keyboard } = kim.page;
  await keyboard.press("Tab");
  await focused(kim.name);
  await keyboard.press("Control+A");
  await keyboard.type("Kim");
  await keyboard.press("Enter");
  await kim.connected();
  await focused(kim.message);

  await keyboard.type("first line");
  await keyboard.press("Shift+Enter");
  await keyboard.type("second line");
  await keyboard.press("Enter");
  await ben.entry("Kim", "to everyone", "first line\nsecond line").waitFor();

  await keyboard.press("Shift+Tab");
  await focused(kim.everyone);
  await keyboard.press("ArrowRight");
  await focused(kim.onePerson);
  await keyboard.press("Tab");
  await focused(kim.theirName);
  await keyboard.type("Ben");
  await keyboard.press("Enter");
  await focused(kim.message);
  await keyboard.type("only you");
  await keyboard.press("Enter");
  await ben.entry("Kim", "to you", "only you").waitFor();

  await kim.close.focus();
  await keyboard.press("Enter");
  await kim.status.getByText("Closed by you").waitFor();
  await focused(kim.reconnect);
  await keyboard.press("Enter");
  await kim.connected();
  await focused(kim.close);
});

test("a phone's width needs no sideways scrolling", async (t) => {
  const ada = await open(t, "Ada");
  const ben = await open(t, "B".repeat(60), phone);
  await ada.sayToEveryone("w".repeat(400));
  await ben.entry("wwww").waitFor();
  await ben.sayTo("N".repeat(60), "x".repeat(200));
  await ben.alert.getByText("Not delivered").waitFor();
  const sizes = await ben.page.evaluate(() => {
    const log = document.querySelector("[role=log]");
    return { page: document.documentElement.scrollWidth, view: innerWidth, log: log.scrollWidth, logView: log.clientWidth };
  });
  assert.equal(sizes.view, 360);
  assert.ok(sizes.page <= sizes.view, `page ${sizes.page} > ${sizes.view}`);
  assert.ok(sizes.log <= sizes.logView, `log ${sizes.log} > ${sizes.logView}`);
  for (const control of [ben.name, ben.close, ben.message, ben.theirName, ben.send]) {
    const box = await control.boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 360 && box.y + box.height <= 640, `outside: ${JSON.stringify(box)}`);
  }
});

test("the dark scheme is dark, the light one light, and both have contrast", async (t) => {
  for (const colorScheme of ["light", "dark"]) {
    const ada = await open(t, "Ada", { colorScheme });
    const ben = await open(t, "Ben", { colorScheme });
    await ada.sayToEveryone("hello all");
    await ada.sayTo("Ben", "hello Ben");
    await ada.sayTo("Zed", "hello Zed");
    await ada.alert.getByText("Not delivered").waitFor();
    await ben.entry("hello Ben").waitFor();
    const page = luminance(await ada.page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    assert.ok(colorScheme === "dark" ? page < 0.05 : page > 0.8, `${colorScheme} page: ${page}`);
    for (const [person, selector] of [
      [ada, ".hint"], [ada, ".status"], [ada, ".mine .text"], [ada, ".mine.private .text"], [ada, ".state[role=alert]"],
      [ada, ".head time"], [ada, ".tag"], [ada, ".send"], [ben, ".entry:not(.mine) .text"], [ben, ".private .text"], [ben, ".avatar"],
    ]) {
      const ratio = await contrast(person.page.locator(selector).first());
      assert.ok(ratio >= 4.5, `${colorScheme} ${selector}: ${ratio.toFixed(2)}`);
    }
  }
});

test("whoever reads further up is not pulled down", async (t) => {
  const ada = await open(t, "Ada", { viewport: { width: 800, height: 500 } });
  const ben = await open(t, "Ben");
  const latest = ada.page.getByRole("button", { name: "New messages" });
  for (let i = 1; i <= 12; i++) await ben.sayToEveryone(`line ${i}.`);
  await ada.entry("line 12.").waitFor();
  const reachesEnd = () => ada.page.waitForFunction(() => {
    const log = document.querySelector("[role=log]");
    return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
  });
  await reachesEnd();

  await ada.log.evaluate((log) => new Promise((done) => {
    log.addEventListener("scroll", done, { once: true });
    log.scrollTop = 0;
  }));
  await ben.sayToEveryone("news");
  await latest.click();
  await reachesEnd();
  assert.ok(await latest.isHidden());
  await ada.sayTo("", "the notice takes room");
  await ada.alert.getByText("enter their name").waitFor();
  await reachesEnd();
});

test("without a wish for motion nothing moves", async (t) => {
  const ada = await open(t, "Ada", { reducedMotion: "reduce" });
  await ada.sayToEveryone("still");
  const animation = await ada.entry("still").evaluate((entry) => getComputedStyle(entry).animationName);
  assert.equal(animation, "none");
});

async function focused(locator) {
  const state = await locator.evaluate((element) => ({
    here: document.activeElement === element,
    at: document.activeElement.outerHTML.slice(0, 80),
    seen: element.matches(":focus-visible"),
  }));
  assert.ok(state.here, `the focus is at ${state.at}`);
  assert.ok(state.seen, "the focus is not in sight");
}

// contrast is WCAG's ratio of an element's text to the colour behind it.
async function contrast(locator) {
  const [ink, ground] = await locator.evaluate((element) => {
    let behind = element;
    while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
  });
  const [low, high] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(color) {
  const [r, g, b] = color.match(/[\d.]+/g).map((part) => {
    const share = Number(part) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
