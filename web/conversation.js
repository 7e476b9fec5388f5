import { SHOWN_CHARS } from "./indent.js";

const KEPT = 500;
const NEAR_PX = 40;
const HUES = 8;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

const STATES = {
  sending: () => "Sending…",
  sent: ({ to }) => (to ? "Sent ✓" : ""),
  waiting: ({ to }) => `Waiting until ${to} connects`,
  failed: (_, detail) => `Not delivered: ${detail}`,
  unconfirmed: () => "Not confirmed by the server",
};

// Conversation is the log on the page: the last 500 entries, oldest first.
// What people wrote goes in as text only, never as markup.
export class Conversation {
  #log;
  #list;
  #latest;
  #following = true;
  #top = 0;

  constructor({ log, list, latest, onPerson }) {
    this.#log = log;
    this.#list = list;
    this.#latest = latest;
    this.onPerson = onPerson;
    latest.addEventListener("click", () => this.#scrollDown());
    log.addEventListener("scroll", () => this.#scrolled());
    new ResizeObserver(() => this.#following && this.#scrollDown()).observe(log);
  }

  // add shows a message { mine, private, from, to, text, raw } and returns
  // setState(state, detail), which tells what became of it.
  add(message) {
    const state = element("p", "state");
    const item = element("li", "entry", this.#head(message), body(message), state);
    item.classList.toggle("mine", message.mine);
    item.classList.toggle("private", message.private);
    item.prepend(avatar(message));
    this.#append(item, message.mine);
    return (name, detail = "") => {
      item.dataset.state = name;
      if (name === "failed") state.setAttribute("role", "alert");
      state.textContent = STATES[name](message, detail);
      if (this.#following) this.#scrollDown();
    };
  }

  // note shows an event that nobody wrote.
  note(text) {
    this.#append(element("li", "note", element("p", "", text), time()), false);
  }

  #head(message) {
    const head = element("p", "head", this.#who(message), element("span", "to", audience(message)));
    if (message.private) head.append(element("span", "tag", "private"));
    head.append(time());
    return head;
  }

  #who({ mine, from }) {
    if (mine) return element("span", "who", "You");
    if (from === "") return element("span", "who", "Someone");
    const who = element("button", "who", from);
    who.type = "button";
    who.title = `Write to ${from} only`;
    who.addEventListener("click", () => this.onPerson(from));
    return who;
  }

  #append(item, follow) {
    this.#list.append(item);
    while (this.#list.childElementCount > KEPT) this.#list.firstElementChild.remove();
    if (follow || this.#following) this.#scrollDown();
    else this.#latest.hidden = false;
  }

  // Whoever reads further up is not pulled down by what arrives.
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const wentUp = scrollTop < this.#top;
    this.#top = scrollTop;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PX || (this.#following && !wentUp);
    if (this.#following) this.#latest.hidden = true;
  }

  #scrollDown() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#following = true;
    this.#latest.hidden = true;
  }
}

function audience({ mine, private: only, to }) {
  if (!only) return "to everyone";
  return mine ? `to ${to}` : "to you";
}

function body({ text, raw }) {
  const size = raw ? "" : ` (${text.length.toLocaleString()} characters)`; // of data it is unknown
  const shown = text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…${size}` : text;
  return element("p", raw ? "text raw" : "text", shown);
}

function avatar({ from }) {
  const [letter = "?"] = from;
  const circle = element("span", "avatar", letter.toUpperCase());
  circle.setAttribute("aria-hidden", "true");
  circle.dataset.hue = from === "" ? "none" : hue(from);
  return circle;
}

// hue gives a name always the same colour (FNV-1a).
function hue(name) {
  let hash = 0x811c9dc5;
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193);
  return String((hash >>> 8) % HUES);
}

function time(now = new Date()) {
  const stamp = element("time", "", clock.format(now));
  stamp.dateTime = now.toISOString();
  stamp.title = calendar.format(now);
  return stamp;
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
