const KEPT = 500;

// Outbox remembers what was sent and is not confirmed yet, oldest first.
// The server answers in order, so an answer is about the oldest that fits.
export class Outbox {
  #waiting = [];

  // add takes { channel, raw, to, settle }: the socket it left on, the text as
  // sent, the recipient's name if one, and settle(state, detail) called once.
  add(sent) {
    this.#waiting.push(sent);
    if (this.#waiting.length > KEPT) this.#settle(() => true, "unconfirmed");
  }

  // echoed reports whether raw, arrived on /ws/, is what this page sent there.
  echoed(raw) {
    return this.#settle((sent) => sent.channel === "everyone" && sent.raw === raw, "sent");
  }

  answered(channel, to, state, detail) {
    return this.#settle((sent) => sent.channel === channel && (to === "" || sent.to === to), state, detail);
  }

  // lost settles all that left on channel: its connection is gone.
  lost(channel) {
    while (this.#settle((sent) => sent.channel === channel, "unconfirmed"));
  }

  #settle(fits, state, detail = "") {
    const at = this.#waiting.findIndex(fits);
    if (at < 0) return false;
    const [sent] = this.#waiting.splice(at, 1);
    sent.settle(state, detail);
    return true;
  }
}
