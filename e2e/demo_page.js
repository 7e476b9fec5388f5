import { openTab } from "./browser.js";

// DemoPage is a person at the page that the server shows at its root, who
// finds everything by its label or role.
export class DemoPage {
  static async open(t, browser, server, name, options) {
    const demo = new DemoPage(await openTab(t, browser, server.url, options));
    await demo.connected();
    if (name) await demo.rename(name);
    return demo;
  }

  constructor(page) {
    this.page = page;
    this.status = page.getByRole("status");
    this.log = page.getByRole("log", { name: "Conversation" });
    this.entries = this.log.getByRole("listitem");
    this.name = page.getByLabel("Your name");
    this.everyone = page.getByRole("radio", { name: "Everyone" });
    this.onePerson = page.getByRole("radio", { name: "One person" });
    this.theirName = page.getByLabel("Their name");
    this.message = page.getByLabel("Message", { exact: true });
    this.send = page.getByRole("button", { name: "Send" });
    this.close = page.getByRole("button", { name: "Close" });
    this.reconnect = page.getByRole("button", { name: "Reconnect" });
    this.alert = page.getByRole("alert");
  }

  connected() {
    return this.status.getByText("Connected", { exact: true }).waitFor();
  }

  async rename(name) {
    await this.name.fill(name);
    await this.name.press("Enter");
    await this.entry(`You are now called ${name}.`).waitFor();
    await this.connected();
  }

  async sayToEveryone(text) {
    await this.everyone.check();
    await this.message.fill(text);
    await this.send.click();
  }

  async sayTo(person, text) {
    await this.onePerson.check();
    await this.theirName.fill(person);
    await this.message.fill(text);
    await this.send.click();
  }

  // entry finds the entries that hold every one of texts.
  entry(...texts) {
    return texts.reduce((found, text) => found.filter({ hasText: text }), this.entries);
  }
}
