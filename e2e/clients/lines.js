import { within } from "../deadline.js";

const DEADLINE_MS = 60_000;

// Lines keeps what a client received and lets a test wait for a text of it.
export class Lines {
  #texts = [];
  #waiting = [];

  push(text) {
    this.#texts.push(text);
    this.#waiting = this.#waiting.filter((waiter) => !waiter(text));
  }

  all() {
    return this.#texts;
  }

  has(text) {
    return this.#texts.some((received) => received.includes(text));
  }

  received(text) {
    if (this.has(text)) return Promise.resolve();
    const arrival = new Promise((resolve) => this.#waiting.push((got) => got.includes(text) && (resolve(), true)));
    return within(DEADLINE_MS, `message with ${text} arrives; so far: ${this.#texts.join(" | ")}`, arrival);
  }
}
